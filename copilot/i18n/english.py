"""Messages that several modules show; all others are where they are raised."""

from copilot.i18n import N_

TITLE = N_("EEG Emotion Copilot")

APPEARANCE = N_("Appearance")
COMPLAINT = N_("Complaint")
HISTORY = N_("History")

STOP = N_("Stop")

NOT_AN_AGE = N_("Age is {age!r}; give whole years from 0 to {most}.")

FAILED_HERE = N_("Something went wrong inside the copilot. What you wrote is still here; please try again.")

SIGNAL_ALT = N_("The EEG as it was read and after cleaning, channel by channel.")
BANDS_ALT = N_("Power in five frequency bands, electrode by electrode, after cleaning.")

CALIBRATED = N_(
    "A probability of 30 % means: in about 3 of 10 such readings this emotion was the right one, measured on 20 people "
    "of the FACED study whom the model had never seen, ten seconds of a film clip each time. The films were those it "
    "had learned from: any other situation it reads hardly better than by guessing."
)
NOT_CALIBRATED = N_("How often such probabilities are right was not measured for this model.")
CHANCE = N_("chance, 11 %")

MODEL = N_("Model")

QUESTIONS = (
    N_("What does it mean?"),
    N_("How sure are you?"),
    N_("What can I do now?"),
    N_("Is this a diagnosis?"),
)

QUESTION_TOO_LONG = N_("The question has {length} characters; at most {most} are read. Shorten it and send it again.")

UNSAVED = N_("Work on the record is neither kept nor downloaded yet. Go on and lose it?")

# The record panel and the kept records on the page

REVIEWER = N_("Your name")

DELETE = N_("Delete")

NOT_YET = N_("You can sign when nothing is left to review.")

BEFORE = N_("Before")
AFTER = N_("After")

# The record

FIELD_NAME = N_("Name")
FIELD_NUMBER = N_("Number")

FIELD_GENDER = N_("Gender")

FIELD_LABORATORY = N_("Laboratory")

FIELD_EXPENSES = N_("Expenses")

#: Who a field's text comes from.
ORIGIN = {
    "entered": N_("entered by the person"),
    "measured": N_("measured from the EEG"),
    "suggested": N_("AI-suggested, by the model"),
    "written": N_("written by the clinician"),
}
PENDING = N_("AI-suggested, not reviewed")
READOUT_SHORT = {
    "both": N_("language model, with the decoder's evidence"),
    "model": N_("language model alone"),
    "decoder": N_("decoder alone"),
}

NONE = N_("none")

DRAFT_RECORD = N_("Draft medical record")
SIGNED_RECORD = N_("Medical record")
STATUS = {"draft": N_("draft, not signed"), "signed": N_("signed")}
ABOUT_RECORD = N_("About this record")
LEFT_EMPTY = N_("left empty")

ABOUT_ID = N_("Record")
ABOUT_VERSION = N_("Version {version}")
ABOUT_CREATED = N_("Created")
ABOUT_SOFTWARE = N_("Software")
ABOUT_MODEL = N_("Model")
ABOUT_MODEL_FILE = N_("Model file (SHA-256)")
ABOUT_REMOTE = N_("not known: the model runs on a server")
ABOUT_PROMPT = N_("Prompt (SHA-256)")
ABOUT_READOUT = N_("Probabilities from")

ABOUT_AMENDS = N_("Amends the signed version (SHA-256)")
ABOUT_PROSE = N_("The model's own text is in English, the language it was trained in.")
SIGNATURE = N_("Signature")
SIGNED_BY = N_("Signed by {name}, {role}, on {at}")
SIGNATURE_DIGEST = N_("What was signed (SHA-256)")
CHANGES = N_("Changes")
ACTION = {
    "accepted": N_("accepted"),
    "edited": N_("edited"),
    "deleted": N_("deleted"),
    "signed": N_("signed"),
    "amended": N_("began an amendment"),
}

RECORD_NOBODY = N_("Give your name and your role; both stand in the record's history.")

RECORD_TOO_LONG = N_("{label} has {length} characters; at most {most} are kept.")
RECORD_NOT_JSON = N_("This is not a record: the text is not JSON.")

# FHIR

FHIR_NOTICE = N_("Please note")

FHIR_TRUST = N_("How far to trust it")

ABOUT_DECODER = N_("Decoder file (SHA-256)")

# Lists and their parts

AND = N_("{some} and {more}")
COUNTED = N_("{count} {kind}")

# The person (copilot/person.py)

# Settings (copilot/settings.py)

# Requests that are refused (copilot/web/guard.py, connections.py)

# Which files are a recording (copilot/eeg/formats/unpack.py, formats.py)

NO_FILE = N_("No file was given; choose an EEG recording.")
FILE_EMPTY = N_("The file is empty (0 bytes); export or copy it again.")
FILE_MISSING = N_("The file is not there; check its path.")
FILES_SAME_NAME = N_("Two of the files have the same name; give only the files of one recording.")
FILES_TOO_LARGE = N_(
    "The recording has {megabytes:.0f} MB and at most {most} MB are read; cut out the part that matters."
)
ZIP_DAMAGED = N_("The .zip is damaged or cut short; make it again.")
ZIP_LOCKED = N_("The .zip is damaged or protected by a password; make it again without one.")
ZIP_COUNT = N_("The .zip holds no files, or far too many; zip the files of one recording.")
ZIP_PATH = N_("The .zip holds a path that leads out of it; zip the files of one recording only.")
ZIP_SAME_NAME = N_("Two files in the .zip have the same name; zip the files of one recording only.")
ZIP_IN_ZIP = N_("The .zip holds another archive; unpack that one first.")
FILE_OFFICE = N_("This is an Office document, not EEG; save a table as .csv and give that.")

FILE_KINDS = N_(
    "Give EDF, BDF, GDF, BrainVision, EEGLAB, FIF, Neuroscan CNT, EGI, CSV, OpenBCI, Muse, NumPy or MATLAB files."
)
FILE_NOT_READ = N_("This is {what}. {kinds}")
FILE_PDF = N_("a PDF document")
FILE_PICTURE = N_("a picture")
FILE_GZIP = N_("a gzip archive, which has to be unpacked first")
FILE_7Z = N_("a 7z archive, which has to be unpacked first")
FILE_RAR = N_("a RAR archive, which has to be unpacked first")
FILE_XDF = N_("an XDF stream file, which has to be exported as EDF first")
FILE_HDF5 = N_("an HDF5 file, which has to be saved as EDF or with MATLAB's save -v7 first")
FILE_MATLAB_73 = N_("a MATLAB 7.3 file, which has to be saved with MATLAB's save -v7 first")
FILE_RIFF = N_("a sound, film or ANT eego file, which has to be exported as EDF first")
FILE_FOREIGN = N_("a file of {maker}, which has to be exported as EDF or BrainVision first")
FILE_PERSYST = N_("a Persyst layout (.lay) without a signal that is read; export the recording as EDF from Persyst")
FILE_WFDB = N_("a PhysioNet WFDB header (.hea), whose signal is not read; convert it to EDF with mit2edf")
FILE_UNKNOWN = N_("This kind of file is not read. {kinds}")
FILE_WEB_PAGE = N_("This is a web page or XML, not a recording; download the recording itself.")
FILE_PICKLE = N_("Python pickles can run code and are never opened; save the array as .npz with np.savez.")
FILE_OTHER_THAN_NAMED = N_(
    "The file is named {suffix} but does not begin like {kind}: it is damaged, cut short or of another kind; get the "
    "original again."
)
FILE_TEXT_MODE = N_(
    "The file was damaged on its way, by a transfer that changes line ends as if it were text; get the original again, "
    "in binary mode."
)
NO_SET = N_("The .set file that belongs to the .fdt is missing; give both together.")
NO_VHDR = N_("The header file (.vhdr) is missing; give the .vhdr, .eeg and .vmrk files together.")
NO_RECORDING_AMONG = N_("There is no recording among these files. {kinds}")
SEVERAL_RECORDINGS = N_("These are the files of several recordings; give one recording at a time.")

# What readers say (copilot/eeg)

FILE_DAMAGED = N_("The file is damaged, cut short or of a kind that is not read; export it again, best as EDF.")
KIND_DAMAGED = N_("The {kind} file is damaged, cut short or of a variety that is not read; export it as EDF.")
MFF_XML = N_("The .mff holds XML that is not EGI's; export it again.")
TOO_MUCH_MEMORY = N_("The recording needs more memory than is allowed; cut out the part that matters.")
READER_DIED = N_(
    "The recording could not be read within the memory allowed, or it crashed its reader; cut out the part that "
    "matters or export it again."
)
CLEANING_FAILED = N_("The signal could not be cleaned; cut out the part that matters or export it again, best as EDF.")
TOO_SLOW = N_("Reading and cleaning the recording takes too long; cut out the part that matters.")

HEADER_DAMAGED = N_("The header of the file is damaged ({reason}); get the original again.")
HEADER_NOT_A_NUMBER = N_("the {what} is not a number")
HEADER_NUMBER = N_("the {what} is {number}")
HEADER_SIGNALS = N_("number of signals")
HEADER_SAMPLES = N_("samples")
HEADER_RECORDS = N_("number of records")
HEADER_DURATION = N_("the duration of a record is not a time")
HEADER_RANGE = N_("the range of a signal is not a number")
HEADER_NO_RANGE = N_("the least and the largest value of a signal are the same, so that its scale is not known")
HEADER_BYTES = N_("size of the header")
HEADER_NO_TIME = N_("its records last no time")
HEADER_CUT = N_("The file is cut short inside its header; get the original again.")
FILE_CUT = N_(
    "The file is cut short: its header promises {promised:.0f} s, and {there:.0f} s are there; get the original again."
)
NOTE_GAPS = N_("The file has gaps in time, which were closed.")
NOTE_FILE_LONGER = N_(
    "The file is {more:.0f} s longer than its header says; only the {read:.0f} s that the header speaks of were read."
)
NOTE_NO_UNITS = N_("The file states no units that are known.")
NOTE_SOME_UNITS = N_(
    "For {count} channels the file states no unit that is known; they were taken in that of the others."
)
NOTE_NOT_CLOSED = N_("The recorder did not close the file, so its length was taken from what is there.")
NOTE_RATES = N_("Channels have different sampling rates; all were brought to {rate:g} Hz.")
NO_DATA_FILE = N_("The data file that the header names is missing; give .vhdr, .eeg and .vmrk together.")
DATA_FILE_SHORT = N_("The data file is shorter than its header or its markers say; get all files again.")
VHDR_CHANNELS = N_("The header says {stated} channels and names {named}; get the .vhdr, .eeg and .vmrk files again.")
NUMBERS_OUT_OF_ORDER = N_(
    "The numbers of the data file stand in another order than its header says, so channels and times would be mixed "
    "up; export it again."
)
NOTE_DATA_FILE = N_("The header names its data file otherwise; the one given with it was used.")
FIF_PART_MISSING = N_("These are parts of one recording, and not all of them; give all its .fif files together.")
NOTE_PARTS = N_("The recording was written in {count} files, which were joined in their order.")
NOTE_ONE_PART = N_("This file is one part of a recording that was written in several; only it was read.")
NOTE_MARKED_BAD = N_("Marked as bad in the file, and left out: {names}.")
NOTE_EPOCHS = N_("The recording is cut into {count} epochs, which were joined.")

WHICH_TRIAL = N_(
    "The file holds {count} trials or recordings, which do not make one reading; say which one is meant by its number, "
    "from 1 to {count}, as the trial."
)
NO_SUCH_TRIAL = N_("The file holds {count} trials or recordings; give the number of one of them, from 1, or none.")
NOTE_TRIAL = N_("Trial {trial} of {count} was read.")
NOTE_LAYOUT = N_("Told by its variables, the file is from {name}: its {rate:g} Hz and its order of channels were used.")
SEVERAL_RATES = N_("The file states several sampling rates ({rates} Hz); save it with the one that is true.")
SIDECAR_NAMES = N_("The file and the .json beside it name different channels; correct one of them.")
RATES_DIFFER = N_(
    "The file states {stated:g} samples a second, and {given:g} were given; leave the rate out, or correct the file."
)
NAMES_DIFFER = N_(
    "Electrode {number} is {stated} in the file and {given} in the names given; leave the names out, or correct the "
    "file."
)
NAMES_COUNT = N_(
    "The file names {stated} electrodes, and {given} names were given; leave the names out, or correct the file."
)
ARRAY_AXES = N_(
    "An array of {shape} has more axes than channels, samples and trials; save one recording as channels and samples."
)
ARRAY_DAMAGED = N_("The array file is damaged or cut short; save plain numbers again.")
ARRAY_OBJECTS = N_(
    "The array file holds Python objects, which are never opened, or is damaged or cut short; save plain numbers again."
)
ARRAY_STATES_NOTHING = N_(
    "The array does not state its sampling rate or its channel names; save them with it as sfreq and channels, or "
    "state them."
)
ARRAY_NO_DATA = N_("No array of numbers with channels and samples was found; call the signal data.")
ARRAY_SHAPE = N_("{count} channel names do not fit an array of {shape}; one axis has to be the channels.")
JSON_UNREADABLE = N_("The .json file cannot be read; it has to hold sfreq and channels.")
EEGLAB_NO_NAMES = N_("The EEGLAB file does not name its channels; add channel locations in EEGLAB.")
NO_FDT = N_("The .fdt file that belongs to the .set is missing; give both files together.")
FDT_SHORT = N_("The .fdt file is not as long as its .set says: get both files again.")

TABLE_DAMAGED = N_("The table is damaged or cut short; every line needs the same columns, one for each channel.")
TABLE_NO_NUMBERS = N_("This text is not a table of numbers; give one sample a line and one column a channel.")
TABLE_STATES_NOTHING = N_(
    "The table does not state its sampling rate or its channel names; give it a time column and a header line, or "
    "state them."
)
TABLE_SHAPE = N_("{names} channel names do not fit {columns} columns; state one name for each column.")
OPENBCI_NAMES = N_("The OpenBCI file has {columns} channels and does not say where they are; state a name for each.")
NOTE_OPENBCI = N_("The file does not say where its {columns} electrodes are; OpenBCI's usual places are assumed.")
MUSE_INTERVAL = N_(
    "Mind Monitor wrote {lines:.0f} lines a second and the headband measures {rate:.0f}; set its recording interval to "
    "constant and record again."
)
TABLE_LINE = N_(
    "Line {line} of the table has {cells} cells, and its header or the other lines have {columns}; every line needs "
    "the same columns, so export it again or correct that line."
)
TABLE_LOST = N_(
    "Of the samples {share:.0%} are missing in short pieces, too many to bridge; record again closer to the receiver, "
    "or export all samples."
)
TABLE_RATE_CONFLICT = N_(
    "The file says {stated:g} Hz and {typed:g} Hz was typed; leave the rate empty, or correct the file if it is wrong."
)
TABLE_NAMES_CONFLICT = N_(
    "The file names its channels {stated} and {typed} was typed; leave the names empty, or correct the file if they "
    "are wrong."
)
TABLE_ROWS_NUMBERED = N_(
    "The time column only numbers the lines, so the sampling rate is not known; state it, or export times in seconds."
)
TABLE_EEG_COLUMNS = N_(
    "{names} channel names do not fit the file, which has {columns} EEG columns (columns {first} to {last}); state one "
    "name for each of these."
)
TABLE_UNIT = N_("The columns are in {units}, which are no units of voltage; export the signal in microvolts.")
NOTE_UNITS_MISSING = N_("Some columns state no unit; that of the others was assumed for them.")
NOTE_PAUSES = N_("Pauses in the recording: {count}, with {seconds:.1f} s missing in all; the parts were joined.")
NOTE_LOST = N_("Lost samples, {share:.1%} of all, were bridged by straight lines.")
NOTE_TIMES_AGAIN = N_("The times begin again: the recording has {count} parts, which were joined.")
NOTE_SAME_TWICE = N_("The same part is in the file more than once; {count} repeats were left out.")
NOTE_RATE = N_("The sampling rate as read is {rate:g} Hz, {origin}.")
RATE_STATED = N_("stated in the file")
RATE_TYPED = N_("as typed")
RATE_FROM_TIMES = N_("worked out from the file's times")
RATE_OF_DEVICE = N_("that of the device, as the file does not state it")
KIND_BRAINFLOW = N_("BrainFlow CSV")
KIND_OPENBCI_SD = N_("OpenBCI SD card")
KIND_ENOBIO = N_("Neuroelectrics .easy")
KIND_EMOTIV = N_("Emotiv CSV")
KIND_TABLE = N_("text table")
KIND_OPENBCI = N_("OpenBCI text")
KIND_SIMULATED = N_("simulated")

# Electrodes, rates and units (copilot/eeg/reader.py, channel_names.py, numbered_montages.py, units.py)

TOO_SHORT = N_("The recording lasts {seconds:.1f} s; at least {least} s are needed, and two minutes are better.")
RATE_OUT_OF_RANGE = N_(
    "The sampling rate is {rate:g} Hz; from {low:.0f} to {high:.0f} Hz can be used, so check the rate or export the "
    "recording again."
)
NOTE_MINUTES = N_("Only the first {most} of {minutes:.0f} minutes were read.")
TOO_FEW_ELECTRODES = N_(
    "The file has {found} whose place on the scalp is known{left_out}; at least {least} are needed, named as in the "
    "10-20 system and recorded against one reference."
)
NO_ELECTRODES = N_("no EEG channels")
ONE_ELECTRODE = N_("only one EEG channel")
FEW_ELECTRODES = N_("only {count} EEG channels")
LEFT_OUT_ASIDE = N_(" (left out, because they are not single scalp electrodes: {kinds})")
NOTE_LEFT_OUT = N_("Left out, because they are not single scalp electrodes: {kinds}.")
NOTE_CAP = N_("Channels are numbered as on {cap}; its usual places are assumed.")
CAP_UNKNOWN = N_(
    "The electrodes are numbered as on a cap, and too many are missing to know which one; call them by their names in "
    "the 10-20 system."
)
CAP_BIOSEMI = N_("a BioSemi cap of {count}")
CAP_EGI = N_("an EGI HydroCel net of {count}")
NOTE_REFERENCE = N_("All channels were recorded against {name}, which is taken as their common reference.")
NOTE_REPEATED = N_("More than one channel is called {names}; the first of each is used.")
CHANNEL_ECG = N_("ECG")
CHANNEL_EYE = N_("eye movement")
CHANNEL_MUSCLE = N_("muscle")
CHANNEL_ANNOTATION = N_("annotation")
CHANNEL_TRIGGER = N_("trigger")
CHANNEL_MOVEMENT = N_("movement")
CHANNEL_BREATHING = N_("breathing")
CHANNEL_REFERENCE = N_("reference")
CHANNEL_BIPOLAR = N_("bipolar")
CHANNEL_OTHER = N_("other")

MISSING_VALUES = N_("{share:.0%} of the values are missing or not numbers; export the recording again.")
NOTE_NO_VALUES = N_("Left out, because they hold no values: {names}.")
NOTE_BRIDGED = N_("{share:.2%} of the values were missing and were bridged by straight lines.")
NOTHING_RECORDED = N_("Every channel is constant: nothing was recorded, or the export failed; record or export again.")
NO_SCALP = N_(
    "The values cannot be a scalp's in any unit, so the file is damaged or holds something else; get the original "
    "again, or export it in microvolts."
)
NOTE_MICROVOLTS = N_("The values were taken as microvolts, which fits their size.")
NOTE_SCALED = N_("The values were taken as {unit}, which fits their size, and scaled to microvolts.")
NOTE_RESCALED = N_(
    "The units that the file states do not fit its values, which were multiplied by {factor:g} to be microvolts."
)
VOLTS = N_("volts")
MILLIVOLTS = N_("millivolts")
MICROVOLTS = N_("microvolts")
NANOVOLTS = N_("nanovolts")

# Cleaning and quality (copilot/eeg/preprocessing/clean.py, ica.py)

TOO_FEW_SECONDS = N_(
    "Only {seconds} seconds of this recording can be used, and {least} are needed: record for a minute or more, "
    "sitting still."
)
TOO_MANY_BAD = N_(
    "{bad} of {total} electrodes carry no usable signal ({names}): check their contact with the skin and record again."
)
ALL_THE_SAME = N_("The channels all hold the same signal: check how the electrodes are connected.")
TOO_FEW_SECONDS_LOUD = N_(
    "Only {seconds} seconds of this recording can be used, and {least} are needed: its usual amplitude of "
    "{amplitude:.0f} µV is more than EEG has, so check the unit that the file or its export states, and that the "
    "person sat still."
)
TOO_FEW_SECONDS_HUM = N_(
    "Only {seconds} seconds of this recording can be used, and {least} are needed: interference at {hertz:g} Hz "
    "drowns the rest, so find what causes it and record again."
)
COPIES = N_(
    "Most channels hold the same signal as others and nothing of their own: check how the electrodes are connected and "
    "that they touch the skin."
)
NORMALISED = N_(
    "All channels have the same size, so the values were normalised and are no voltages: export the recording again in "
    "microvolts."
)
REPEATS = N_("Most of this recording repeats the same stretch sample by sample: export it again.")
NOTHING_LEFT = N_(
    "Nearly everything in this recording is noise or muscle tension, and no brain signal is left: check that the "
    "headset is worn and that its electrodes touch the skin, then record again."
)

CLEANING_MAINS = N_("looking for mains hum")
CLEANING_FILTER = N_("filtering")
CLEANING_ELECTRODES = N_("looking for bad electrodes")
CLEANING_ARTEFACTS = N_("taking out eyes and muscles")
CLEANING_LOUD = N_("looking for loud seconds")
CLEANING_DONE = N_("clean")
READING_BEGUN = N_("opening the file")
READING_DONE = N_("read")

TRUST_MEANS = {
    "good": N_("The signal is good."),
    "fair": N_("The signal is fair: take what is read from it with care."),
    "poor": N_("The signal is poor: what is read from it is hardly more than a guess, so record again if you can."),
}
MAINS_REMOVED = N_("Mains hum at {hertz:g} Hz was found and removed.")
MAINS_ABSENT = N_("No mains hum was found.")
BAND_LIMITED = N_("The signal was limited to {low:g} to {high:g} Hz, at {rate} samples a second.")
EMPTY_BANDS = N_(
    "These bands hold next to nothing, as after a filter: {bands}. What is read from them does not come from the brain."
)
INTERFERENCE = N_("Interference at {hertz:g} Hz was found and is still in the signal.")
INTERFERENCE_SHARED = N_(
    "Interference at {hertz:g} Hz was found on all electrodes; the average reference took most of it out."
)
COARSE_STEPS = N_("The values come in steps of {step:.2g} µV, too coarse for a signal of {amplitude:.2g} µV.")
AMPLITUDE_SMALL = N_(
    "The usual amplitude is {amplitude:.2g} µV, less than EEG has: the unit that the file or its export states is "
    "likely wrong."
)
AMPLITUDE_LARGE = N_(
    "The usual amplitude is {amplitude:.0f} µV, more than EEG has: the unit that the file or its export states is "
    "likely wrong."
)
NAMES_MIXED = N_(
    "Neighbouring electrodes are not as alike as on a head: this is no EEG, or the channels have each other's names."
)
NAMES_SHIFTED = N_(
    "The signals fit a head better when every name moves by one channel: names and signals have likely slipped."
)
NOT_FALLING = N_("Fast frequencies are as strong as slow ones, as in noise or muscle tension and not in EEG.")
MUCH_REMOVED = N_(
    "Cleaning took out {removed} of {total} components and left {share:.0%} of the amplitude: most of the recording "
    "was not brain."
)
ELECTRODES_SAME = N_("All electrodes hold nearly the same signal: check how they are connected.")
ELECTRODES_APART = N_("The electrodes have nothing in common, unlike any on one head: this is likely no EEG.")
ELECTRODES_JOINED = N_("Connected with each other, as by gel or a wire, so that they hold the same signal: {names}.")
SECONDS_EMPTY = N_("{count} seconds hold no signal, because it was bridged, held or fades away; they are not used.")
SECONDS_REPEATED = N_("{count} seconds repeat earlier ones sample by sample; they are not used.")
ELECTRODES_GOOD = N_("All {count} electrodes gave a usable signal.")
ELECTRODES_ESTIMATED = N_(
    "{bad} of {total} electrodes gave no usable signal and were estimated from their neighbours: {which}."
)
ELECTRODES_LEFT_OUT = N_("{bad} of {total} electrodes gave no usable signal and were left out: {which}.")
ELECTRODE_FAULT = N_("{name} ({fault})")
FAULT_FLAT = N_("no signal")
FAULT_RAILED = N_("clipped")
FAULT_NOISY = N_("noisy")
TOO_FEW_TO_SEPARATE = N_(
    "With fewer than {count} good electrodes, eyes and muscles cannot be told apart from brain: seconds with large "
    "deflections are left out instead, and the recording keeps its own reference."
)
COMPONENTS_REMOVED = N_("Independent component analysis took out: {components}.")
COMPONENTS_OF = N_("{count} of {kind}")
ARTEFACTS = {"ocular": N_("eye movement"), "muscle": N_("muscle tension")}
NO_COMPONENTS = N_("nothing")
AVERAGE_REFERENCE = N_("Voltages are against the average of all electrodes.")
NO_EYE_ELECTRODES = N_("No electrode is near the eyes, so blinks could not be looked for.")
SECONDS_USABLE = N_("{usable} of {total} seconds are usable.")

# Figures (copilot/eeg/plots.py)

AXIS_SECONDS = N_("seconds")
AXIS_SECONDS_OF = N_("seconds, {shown} of {total} electrodes")
AS_READ = N_("as read")
AS_CLEANED = N_("cleaned")
BAD_ESTIMATED = N_("bad, estimated from neighbours")
BAD_LEFT_OUT = N_("bad, left out")
UNUSABLE_SECOND = N_("unusable second")
BANDS = {"delta": N_("Delta"), "theta": N_("Theta"), "alpha": N_("Alpha"), "beta": N_("Beta"), "gamma": N_("Gamma")}
BAND_ON_SCALP = N_("{band}, {low:g}-{high:g} Hz\n{least:.1f} to {most:.1f} µV")
BAND_COLOURS = N_("weakest to strongest\nin each band")
AXIS_MICROVOLTS = N_("µV (RMS)")

# Simulated recordings (copilot/eeg/simulate.py)

NOTE_SIMULATED = N_("This EEG is simulated.")
EYES_CLOSED = N_("Eyes closed (simulated)")
EYES_CLOSED_ABOUT = N_(
    "Simulated: a relaxed person with closed eyes, strong 10 Hz alpha at the back of the head, good contact."
)
EYES_OPEN = N_("Eyes open, busy (simulated)")
EYES_OPEN_ABOUT = N_(
    "Simulated: an alert person with open eyes who blinks, little alpha and more fast activity at the front."
)
POOR_CONTACT = N_("Poor contact (simulated)")
POOR_CONTACT_ABOUT = N_(
    "Simulated: four electrodes with bad contact, mains hum and many blinks, to see what the quality report says."
)

# The pipeline (copilot/pipeline.py, model_metadata.py, eeg/classifier.py)

NO_DECODER = N_("The decoder {name} is missing; set EEG_COPILOT_DECODER to where it is.")
NOT_A_DECODER = N_("{name} is not a decoder that this version can read; run `make model`.")

# The language model (copilot/engine)

NO_LLAMA = N_("The package llama-cpp-python is missing; install requirements.txt or set EEG_COPILOT_SERVER.")
NO_MODEL_FILE = N_("There is no model file at {path}; set EEG_COPILOT_MODEL to a GGUF file.")
NOT_GGUF = N_("{name} is not a GGUF model file; set EEG_COPILOT_MODEL to one that is.")
MODEL_FILE_DAMAGED = N_("The model file {name} is damaged or incomplete; copy it again.")
MODEL_UNKNOWN = N_(
    "The model file {name} is damaged, incomplete or of a kind that this llama.cpp does not know; copy it again or "
    "choose another."
)
MODEL_MEMORY = N_("No memory for {context:,} tokens of context; lower EEG_COPILOT_CONTEXT.")
MODEL_CHANGED = N_("The model file {name} was changed while it was in use; start the program again.")
MODEL_CLOSED = N_("The model has been closed; start the program again.")
MODEL_FAILED = N_("The model failed on this text; try again with a shorter one.")
MODEL_TEMPLATE = N_("The model's chat template cannot be used ({reason}); choose another model.")
CONTEXT_FULL = N_("This needs {needed:,} tokens and the model's context holds {context:,}; shorten the texts.")
CONTEXT_FULL_FOR_NOW = N_(
    "This needs {needed:,} tokens and the model's context holds {context:,}; shorten the texts or raise "
    "EEG_COPILOT_CONTEXT."
)
SERVER_SILENT_AT_ONCE = N_("The model server sent no answer; the conversation may be longer than its context.")
SERVER_KEY = N_("The model server refuses the key; set EEG_COPILOT_SERVER_KEY to one that it accepts.")
SERVER_NO_MODEL = N_(
    "The model server has no model {model!r}, or no chat at this address; correct EEG_COPILOT_SERVER_MODEL or "
    "EEG_COPILOT_SERVER."
)
SERVER_ERROR = N_("The model server reports an error: {status}, {said}.")
SERVER_NO_REASON = N_("no reason given")
SERVER_ADDRESS = N_("EEG_COPILOT_SERVER is no address; it has to look like http://127.0.0.1:11434/v1.")
SERVER_ABSENT = N_("No model server answers at {server}; start it or correct EEG_COPILOT_SERVER.")
SERVER_SILENT = N_("The model server at {server} has fallen silent; look at it and try again.")
SERVER_BROKE_OFF = N_("The model server at {server} broke off its answer; look at it and try again.")
SERVER_NO_LABELS = N_("The server's model names none of the labels; set EEG_COPILOT_READOUT=decoder.")
SERVER_NO_PROBABILITIES = N_("The model server gives no probabilities; set EEG_COPILOT_READOUT=decoder.")
SERVER_EMPTY = N_("The model server sent an empty answer; look at its model, or correct EEG_COPILOT_SERVER.")
SERVER_TOO_MUCH = N_(
    "The model server at {server} sends more than an answer can be; look at it, or correct EEG_COPILOT_SERVER."
)
SERVER_TOO_LONG = N_("The model server at {server} took too long over its answer; look at it and try again.")
SERVER_PROTOCOL = N_("The server does not speak OpenAI's chat protocol; correct EEG_COPILOT_SERVER.")

# The chat (copilot/chat.py)

# The command line (copilot/cli.py, cli_output.py)

# The PDF

# Batch

BATCH_NOT_OPENED = N_(
    "A process ended while it opened the model ({how}); where memory is short, give --workers a smaller number."
)

BATCH_NOT_READ = N_("The file cannot be read: {why}.")

BATCH_EMOTION = N_("Most probable emotion")

BATCH_CONFIDENCE = {"clear": N_("stands out"), "leaning": N_("leaning"), "unclear": N_("uncertain")}

BATCH_RECORDINGS = N_("Recordings")
BATCH_QUALITY = N_("Quality")

# The store
