"""Every sentence that people see, in English; the same in other languages is looked up by these (see ``language``)."""

TITLE = "EEG Emotion Copilot"
TAGLINE = "From an EEG and a few words to an uncertain emotion, a careful assessment and a draft record."
LOCAL = "Everything runs on the machine that serves this page."
SPACE = "This copilot runs on a Hugging Face Space: your recording is sent there and read there."
SERVER = "Prompts go to the language model server that this copilot was set up with: {server}"

CONSENT_HEADING = "Before you start"
CONSENT = (
    "Your EEG and your words are used to infer an emotion. The result is uncertain, it is written by a small AI model "
    "and **it is not a diagnosis**. Do not use it on people at work or in education: the EU AI Act prohibits that.",
    "The recording is on the disk of the copilot's computer only while it is being read, without names and birth dates "
    "afterwards. It stays in memory until you press *Clear everything* or, at the latest, an hour after you close "
    "this page.",
)
CONSENT_BOX = "I am this person or act with their agreement, and they know that an AI infers an emotion."

PERSON_HEADING = "The person"
GENDER = "Gender"
AGE, AGE_HINT = "Age", "Years"
APPEARANCE, APPEARANCE_HINT = "Appearance", "How they say they look or feel, in their own words"
COMPLAINT, COMPLAINT_HINT = "Complaint", "What brings them here"
HISTORY, HISTORY_HINT = "History", "Earlier illness, medication, sleep"
NO_NAMES = "No names or numbers here, please: this part is read by the model, which needs none."
PARTICULARS_HEADING = "For the record only (optional)"
PARTICULARS_HINT = "None of this reaches the model: it stands in the record, where that is kept or downloaded."
NUMBER_HINT = "Of the chart or the study"
LABORATORY_HINT = "Results that belong in this record"
EXPENSES_HINT = "What is to be charged"

RECORDING_HEADING = "The recording"
SOURCE = "Which EEG"
OWN = "My own recording"
UPLOAD = "EEG file"
UPLOAD_HINT = (
    "EDF, BDF, BrainVision and EEGLAB (all files together or as .zip), FIF, GDF, CNT, EGI, CSV, OpenBCI, Muse, NPY or "
    "MAT; at most {megabytes} MB."
)
BASELINE_HEADING = "Another recording of the same person (optional)"
BASELINE = "Baseline recordings"
BASELINE_HINT = "Nothing makes the reading better than knowing what is normal for this person. One file per recording."
ARRAY_HEADING = "Only for bare numbers (CSV, NPY, MAT)"
SFREQ, SFREQ_HINT = "Samples a second", "In hertz, where the file does not say"
TRIAL, TRIAL_HINT = "Trial", "Its number, where the file holds several"
CHANNELS, CHANNELS_HINT = "Channel names", "In the file's order: Fp1, Fp2, F3 ..."
TOO_LARGE = "The files have {size:.0f} MB together and at most {most} MB are taken; cut out the part that matters."
CHOOSE_AGAIN = "The file is not here any more; please choose it again."
IN_MEMORY = "In memory, no longer on disk: {names}"

ANALYSE, STOP, CLEAR = "Analyse", "Stop", "Clear everything"
EMPTY = "Your reading appears here"
EMPTY_STEPS = (
    ("The signal", "drawn and judged before any AI text"),
    ("Nine emotions", "as probabilities, with their uncertainty"),
    ("An assessment", "that you can ask about"),
    ("A draft record", "to review, sign and download"),
)

NO_CONSENT = "Please agree to the notice first."
NO_RECORDING = "Add an EEG file or choose one of the examples."
NOT_AN_AGE = "Age is {age!r}; give whole years from 0 to {most}."
NOT_A_TRIAL = "{trial!r} is not the number of a trial; give a whole number from 1."
NOT_A_RATE = "{rate!r} is not a sampling rate; give samples a second as a number, for example 250."
STOPPED = "Stopped. Press Analyse to start again."
OUTDATED = "The form has changed since this reading. Press Analyse for a reading of what it says now."
EMPTY_FILE = "This file is empty. Copy or export it again, then choose it again."
FAILED = "Something went wrong inside the copilot. Nothing was kept; please try again or try another file."
OPEN_RECORD_HEADING = "Go on with a record (JSON)"
OPEN_RECORD = "Record"
OPEN_RECORD_HINT = "One that was downloaded here as JSON, or that a batch made: to review, sign or amend it."
FAILED_HERE = "Something went wrong inside the copilot. What you wrote is still here; please try again."
NO_READING = "Analyse a recording first; then there is something to ask about."

OPENING = "Opening the model"
AHEAD_ONE = "1 person is ahead of you. Your turn comes by itself."
AHEAD_MANY = "{count} people are ahead of you. Your turn comes by itself."
BUSY = "Finishing somebody else's answer first."
LINE_FULL = "Too many people are waiting now; please try again in some minutes."
READING_PROMPT = "{done} of {total} prompt tokens read"
ABOUT = "about {seconds} s"
TOOK = "Done in {total:.0f} s: signal ready after {clean:.1f} s, first word after {first:.1f} s."

SIGNAL_HEADING = "The signal"
DONE = "What was found and done"
SIGNAL_ALT = "The EEG as it was read and after cleaning, channel by channel."
BANDS_ALT = "Power in five frequency bands, electrode by electrode, after cleaning."
TRUST = {"good": "Good recording", "fair": "Fair recording", "poor": "Poor recording"}
CLEAN_SECONDS = "{clean} of {total} seconds are clean"
SECONDS_ALT = "Which seconds are clean, from the start to the end of the recording: {clean} of {total}."

READING_HEADING = "The reading"
HEADLINE_POOR = "The recording is too poor to name an emotion"
HEADLINE_POOR_ABOUT = "What the bars show rests on a poor signal: do not rely on it."
HEADLINE = {
    "clear": "Most likely {emotion}",
    "leaning": "Leaning towards {emotion}, but uncertain",
    "unclear": "Uncertain: no emotion stands out",
}
TIMES_CHANCE = "{percent}, which is {times:.1f} times chance."
UNCERTAIN = "It does not stand out enough to be certain: read it as a hint at most."
CALIBRATED = (
    "A probability of 30 % means: in about 3 of 10 such readings this emotion was the right one, measured on 20 people "
    "of the FACED study whom the model had never seen, ten seconds of a film clip each time. The films were those it "
    "had learned from: any other situation it reads hardly better than by guessing."
)
NOT_CALIBRATED = "How often such probabilities are right was not measured for this model."
CHANCE = "chance, 11 %"
PROBABILITIES = "Probability of each of nine emotions"
THREE_CLASSES = "Negative, neutral, positive"
VALENCE = "Valence"
VALENCE_ALT = "Valence {value:+.2f} on a scale from -1, negative, to +1, positive."
READOUT = {
    "both": "Read by the language model, with the decoder's evidence in its prompt",
    "model": "Read by the language model alone",
    "decoder": "Read by the decoder alone",
}
MODEL = "Model"
CODEC = "EEG text"

ASSESSMENT_HEADING = "The assessment"
SUGGESTIONS = "Suggestions"

CHAT_HEADING = "Ask about it"
CHAT_EMPTY = "Choose a question below or write your own."
QUESTION, QUESTION_HINT = "Your question", "Ask about this reading"
SEND = "Send"
QUESTIONS = ("What does it mean?", "How sure are you?", "What can I do now?", "Is this a diagnosis?")
HALTED = "(stopped)"

CHAT_OUTSIDE = (
    "This chat answers four questions: what the reading means, how sure it is, what you can do now, and whether this "
    "is a diagnosis. Everything else that was found is on this page: signal, figures, assessment and record."
)
QUESTION_TOO_LONG = "The question has {length} characters; at most {most} are read. Shorten it and send it again."
CHAT_LANGUAGE = "The model answers in English."
SWITCH = "Language"
UNSAVED = "Work on the record is neither kept nor downloaded yet. Go on and lose it?"
PROMPT_HEADING = "The exact prompt"

# The record panel and the kept records on the page

RECORD_HEADING = "The record"
RECORD_HINT = (
    "Go through what the model suggested: accept it, change it or delete it. What you change is marked as written by "
    "you. Nothing is signed or sent by itself."
)
LOCKED_HINT = "This version is signed and locked. To change something, amend it: that begins the next version."
AMENDMENT_HINT = "This amends version {version}, which stays as it was signed."
REVIEWER, ROLE, ROLE_HINT = "Your name", "Your role", "For example physician or psychologist"
REVIEWED = "{done} of {total} suggestions reviewed"
NOT_REVIEWED = "Not reviewed yet"
STILL = "Still to review:"
ALL_REVIEWED = "Nothing is left to review."
ACCEPT, DELETE = "Accept", "Delete"
ACCEPTED_BY = "AI-suggested, accepted by {name}"
WRITTEN_BY, DELETED_BY = "Written by {name}", "Deleted by {name}"
TO_WRITE = "For the clinician to write"
STATEMENT_LABEL = "What you sign"
SIGN, AMEND = "Sign", "Amend"
NOT_YET = "You can sign when nothing is left to review."
DOWNLOAD = "Download {format}"
NO_CHANGES = "Nobody has changed anything yet."
BEFORE, AFTER = "Before", "After"

KEPT_HEADING = "Kept records"
KEPT_UNTIL = "will be deleted on {date}; download it, or change it to keep it longer"
KEPT_HINT = (
    "They are in a file on the copilot's computer, and everybody who uses this page there sees the same list. Each is "
    "deleted {days} days after its last change."
)
KEEP, KEEP_SIGNAL = "Keep this record", "Keep the cleaned signal too"
KEPT_AT = "Kept at {at}. From now on every change is kept at once."
OPEN_KEPT = "Open the kept one instead"
SEARCH, SEARCH_HINT = "Search", "Words that stand in a record"
NOTHING_KEPT, NOTHING_FOUND = "No record is kept.", "No kept record has these words."
MORE_KEPT = "{count} more are kept; search to find them."
OPEN, EXPORT_ALL = "Open", "Export all"
SURE = "Delete this record with all its versions? It cannot be brought back."
DELETE_KEPT, CANCEL = "Delete for good", "Cancel"
KEPT_DELETED = "The record has been deleted for good."
LAST_CHANGED = "changed {at}"

# The record

SECTION_BASIC = "Basic information"
SECTION_HISTORY = "Medical history"
SECTION_EXAMINATION = "Examination: EEG"
SECTION_LABORATORY = "Laboratory"
SECTION_ASSESSMENT = "Assessment"
SECTION_PLAN = "Plan"
SECTION_FOLLOW_UP = "Follow-up"
SECTION_EXPENSES = "Expenses"

FIELD_NAME = "Name"
FIELD_NUMBER = "Number"
FIELD_ROLE = "Role"
FIELD_GENDER = "Gender"
FIELD_AGE = "Age"
FIELD_APPEARANCE = "Appearance, in their own words"
FIELD_COMPLAINT = "Complaint"
FIELD_HISTORY = "History"
FIELD_SOURCE = "Kind of file"
FIELD_SECONDS = "Length"
FIELD_RATE_READ = "Sampling rate as read"
FIELD_SFREQ = "Sampling rate after cleaning"
FIELD_ELECTRODES = "Electrodes"
FIELD_TRUST = "Quality"
FIELD_CLEAN = "Clean share"
FIELD_MAINS = "Mains interference"
FIELD_BAD_CHANNELS = "Bad electrodes"
FIELD_REMOVED = "Components removed"
FIELD_PROCESSING = "What was found and done"
FIELD_LABORATORY = "Laboratory"
FIELD_EMOTION = "Emotion"
FIELD_PROBABILITIES = "Probabilities"
FIELD_THREE_CLASS = "Negative, neutral, positive"
FIELD_VALENCE = "Valence (-1 to +1)"
FIELD_ASSESSMENT = "Assessment"
FIELD_SUGGESTIONS = "Suggestions"
FIELD_FOLLOW_UP = "Follow-up"
FIELD_EXPENSES = "Expenses"

#: Who a field's text comes from.
ORIGIN = {
    "entered": "entered by the person",
    "measured": "measured from the EEG",
    "suggested": "AI-suggested, by the model",
    "written": "written by the clinician",
}
PENDING = "AI-suggested, not reviewed"
READOUT_SHORT = {
    "both": "language model, with the decoder's evidence",
    "model": "language model alone",
    "decoder": "decoder alone",
}
RECORD_POOR = "Poor recording: do not rely on what it says about emotion."
RECORD_UNCERTAIN = "No emotion stands out above the uncertainty of this reading."
RECORD_FIRST = "Most probable of nine emotions: {emotion} ({percent})."
NONE_STANDS_OUT = "none stands out ({first}, {second})"
CLEAN_SHARE = "{clean} of {total} s ({percent})"
MAINS_NONE = "none found"
MAINS_FOUND = "{hertz} Hz, {times} times its neighbourhood before removal"
NONE = "none"

DRAFT_RECORD, SIGNED_RECORD = "Draft medical record", "Medical record"
STATUS = {"draft": "draft, not signed", "signed": "signed"}
ABOUT_RECORD = "About this record"
LEFT_EMPTY = "left empty"
ABOUT_STATUS = "Status"
ABOUT_ID = "Record"
ABOUT_VERSION = "Version {version}"
ABOUT_CREATED = "Created"
ABOUT_SOFTWARE = "Software"
ABOUT_MODEL = "Model"
ABOUT_MODEL_FILE = "Model file (SHA-256)"
ABOUT_REMOTE = "not known: the model runs on a server"
ABOUT_PROMPT = "Prompt (SHA-256)"
ABOUT_READOUT = "Probabilities from"
ABOUT_CODEC = "EEG codec"
ABOUT_AMENDS = "Amends the signed version (SHA-256)"
ABOUT_PROSE = "The model's own text is in English, the language it was trained in."
SIGNATURE = "Signature"
SIGNED_BY = "Signed by {name}, {role}, on {at}"
SIGNATURE_DIGEST = "What was signed (SHA-256)"
CHANGES = "Changes"
ACTION = {
    "accepted": "accepted",
    "edited": "edited",
    "deleted": "deleted",
    "signed": "signed",
    "amended": "began an amendment",
}
STATEMENT = (
    "I have reviewed this record against the recording and the person. What the model suggested in it I accept, or "
    "have changed or deleted."
)

RECORD_LOCKED = "The record is signed and locked; amend it to change something."
RECORD_NOT_SIGNED = "Only a signed record can be amended; this one is still a draft."
RECORD_PENDING = "{count} fields of this record wait for review: accept, edit or delete them first ({labels})."
RECORD_NOBODY = "Give your name and your role; both stand in the record's history."
RECORD_NO_STATEMENT = "Say what you sign: the statement is empty."
RECORD_NOTHING_TO_ACCEPT = "This field is not waiting for review."
RECORD_FORGED = "The record was changed after it was signed; use another copy of it."
RECORD_NO_EMOTION = "No emotion is stated: what the model suggested was deleted."
RECORD_EMOTION_IS = "Emotion, as the clinician wrote it: {emotion}"
RECORD_TOO_LONG = "{label} has {length} characters; at most {most} are kept."
RECORD_NOT_JSON = "This is not a record: the text is not JSON."
RECORD_FORMAT = "This JSON is not a record that this version of EEG Emotion Copilot wrote."
RECORD_BAD_VALUE = "The record cannot be used: {where}: {what}."
RECORD_MISSING = "it is missing"
RECORD_UNKNOWN = "no record has it"
RECORD_OTHER_KIND = "it is of another kind than in a record"
RECORD_NO_FIELD = "The record has no field '{key}', which is needed for this; use another copy of it."
RECORD_TOO_LARGE = "This is larger than any record of this program can be; use another copy of it."
RECORD_TOO_MANY_LINES = "{label} has too many lines; at most {most} are kept."
RECORD_CHANGED_TOO_OFTEN = "This record was changed {most} times, which is the most; sign it as it is."

# FHIR
FHIR_SIGN_FIRST = (
    "Sign this amendment first: a server would show its draft in place of the signed version that it already has."
)

FHIR_NOTICE = "Please note"
FHIR_NOTE = "Note"
FHIR_TRUST = "How far to trust it"
FHIR_PATIENT = "A person, by a pseudonym"
FHIR_PSEUDONYM = "Pseudonym"
FHIR_BIRTH_YEAR = "Birth year at the latest, from the age"
FHIR_ENCOUNTER = "An EEG was read for emotion, and a record of it drafted"
FHIR_DEVICE = "AI model that infers emotion from EEG, not a medical device"
FHIR_EMOTION = "Probability of {emotion}, inferred from EEG"
FHIR_CLASS = "Probability of an emotion of this class, inferred from EEG: {name}"
FHIR_VALENCE = "Valence from -1 to +1, inferred from EEG"
FHIR_QUALITY = "Quality of the EEG recording"
FHIR_CLEAN = "Clean share of the EEG recording"
FHIR_WITHDRAWN = "A clinician deleted or replaced this in review."
FHIR_REPORT = "EEG read for emotion with the help of AI"
FHIR_PLAN = "Proposal for a plan, to be decided on by a clinician"
FHIR_PROVENANCE = "Who made this record"
FHIR_BY_AI = "AI model, author"
ABOUT_DECODER = "Decoder file (SHA-256)"
FHIR_BY_CLINICIAN = "Clinicians who wrote in it"

# Lists and their parts

COMMA = ", "
AND = "{some} and {more}"
COUNTED = "{count} {kind}"

# The person (copilot/person.py)

NOT_A_GENDER = "Gender is {gender!r}; choose one of: {choices}."
TEXT_TOO_LONG = "{label} has {length} characters; at most {most} are read."

# Settings (copilot/settings.py)

SETTING_CHOICES = "{variable} is {value!r}; it can be {choices}."
SETTING_NUMBER = "{variable} is {value!r}; it has to be a whole number above 0."
SETTING_SERVER = "EEG_COPILOT_SERVER is {value!r}; it has to begin with http:// or https://."
SETTING_STORE_ON_SPACE = "EEG_COPILOT_STORE is on, but a Space keeps no records: it serves strangers."

# Requests that are refused (copilot/web/guard.py, connections.py)

NOTHING_HERE = "There is nothing at this address; open the first page."
OTHER_HOST = "This address is not allowed; use this machine's own, or name it in EEG_COPILOT_ALLOWED_HOSTS."
OTHER_PAGE = "Another web page asked for this; open the copilot's own page instead."
WRONG_CALL = "This is not a request that the page makes; load the page again."
BODY_TOO_LARGE = "This is more than the {most} MB that are taken at once; choose smaller files."
TOO_MANY_FILES = "This cannot be read as an upload of at most {most} files; choose the files again."
BROKE_OFF = "The upload came too slowly or broke off; choose the file again."
NO_ROOM = "There is no room for more uploads now; try again in some minutes."
SERVER_FULL = "Too many people use the copilot now; try again in some minutes."

# Which files are a recording (copilot/eeg/formats/unpack.py, formats.py)

NO_FILE = "No file was given; choose an EEG recording."
FILE_EMPTY = "The file is empty (0 bytes); export or copy it again."
FILE_MISSING = "The file is not there; check its path."
FILES_SAME_NAME = "Two of the files have the same name; give only the files of one recording."
FILES_TOO_LARGE = "The recording has {megabytes:.0f} MB and at most {most} MB are read; cut out the part that matters."
ZIP_DAMAGED = "The .zip is damaged or cut short; make it again."
ZIP_LOCKED = "The .zip is damaged or protected by a password; make it again without one."
ZIP_COUNT = "The .zip holds no files, or far too many; zip the files of one recording."
ZIP_PATH = "The .zip holds a path that leads out of it; zip the files of one recording only."
ZIP_SAME_NAME = "Two files in the .zip have the same name; zip the files of one recording only."
ZIP_IN_ZIP = "The .zip holds another archive; unpack that one first."
FILE_OFFICE = "This is an Office document, not EEG; save a table as .csv and give that."

FILE_KINDS = (
    "Give EDF, BDF, GDF, BrainVision, EEGLAB, FIF, Neuroscan CNT, EGI, CSV, OpenBCI, Muse, NumPy or MATLAB files."
)
FILE_NOT_READ = "This is {what}. {kinds}"
FILE_PDF = "a PDF document"
FILE_PICTURE = "a picture"
FILE_GZIP = "a gzip archive, which has to be unpacked first"
FILE_7Z = "a 7z archive, which has to be unpacked first"
FILE_RAR = "a RAR archive, which has to be unpacked first"
FILE_XDF = "an XDF stream file, which has to be exported as EDF first"
FILE_HDF5 = "an HDF5 file, which has to be saved as EDF or with MATLAB's save -v7 first"
FILE_MATLAB_73 = "a MATLAB 7.3 file, which has to be saved with MATLAB's save -v7 first"
FILE_RIFF = "a sound, film or ANT eego file, which has to be exported as EDF first"
FILE_FOREIGN = "a file of {maker}, which has to be exported as EDF or BrainVision first"
FILE_PERSYST = "a Persyst layout (.lay) without a signal that is read; export the recording as EDF from Persyst"
FILE_WFDB = "a PhysioNet WFDB header (.hea), whose signal is not read; convert it to EDF with mit2edf"
FILE_UNKNOWN = "This kind of file is not read. {kinds}"
FILE_WEB_PAGE = "This is a web page or XML, not a recording; download the recording itself."
FILE_PICKLE = "Python pickles can run code and are never opened; save the array as .npz with np.savez."
FILE_OTHER_THAN_NAMED = (
    "The file is named {suffix} but does not begin like {kind}: it is damaged, cut short or of another kind; get the "
    "original again."
)
FILE_TEXT_MODE = (
    "The file was damaged on its way, by a transfer that changes line ends as if it were text; get the original again, "
    "in binary mode."
)
NO_SET = "The .set file that belongs to the .fdt is missing; give both together."
NO_VHDR = "The header file (.vhdr) is missing; give the .vhdr, .eeg and .vmrk files together."
NO_RECORDING_AMONG = "There is no recording among these files. {kinds}"
SEVERAL_RECORDINGS = "These are the files of several recordings; give one recording at a time."

# What readers say (copilot/eeg)

FILE_DAMAGED = "The file is damaged, cut short or of a kind that is not read; export it again, best as EDF."
KIND_DAMAGED = "The {kind} file is damaged, cut short or of a variety that is not read; export it as EDF."
MFF_XML = "The .mff holds XML that is not EGI's; export it again."
TOO_MUCH_MEMORY = "The recording needs more memory than is allowed; cut out the part that matters."
READER_DIED = (
    "The recording could not be read within the memory allowed, or it crashed its reader; cut out the part that "
    "matters or export it again."
)
CLEANING_FAILED = "The signal could not be cleaned; cut out the part that matters or export it again, best as EDF."
TOO_SLOW = "Reading and cleaning the recording takes too long; cut out the part that matters."

HEADER_DAMAGED = "The header of the file is damaged ({reason}); get the original again."
HEADER_NOT_A_NUMBER = "the {what} is not a number"
HEADER_NUMBER = "the {what} is {number}"
HEADER_SIGNALS = "number of signals"
HEADER_SAMPLES = "samples"
HEADER_RECORDS = "number of records"
HEADER_DURATION = "the duration of a record is not a time"
HEADER_RANGE = "the range of a signal is not a number"
HEADER_NO_RANGE = "the least and the largest value of a signal are the same, so that its scale is not known"
HEADER_BYTES = "size of the header"
HEADER_NO_TIME = "its records last no time"
HEADER_CUT = "The file is cut short inside its header; get the original again."
FILE_CUT = (
    "The file is cut short: its header promises {promised:.0f} s, and {there:.0f} s are there; get the original again."
)
NOTE_GAPS = "The file has gaps in time, which were closed."
NOTE_FILE_LONGER = (
    "The file is {more:.0f} s longer than its header says; only the {read:.0f} s that the header speaks of were read."
)
NOTE_NO_UNITS = "The file states no units that are known."
NOTE_SOME_UNITS = "For {count} channels the file states no unit that is known; they were taken in that of the others."
NOTE_NOT_CLOSED = "The recorder did not close the file, so its length was taken from what is there."
NOTE_RATES = "Channels have different sampling rates; all were brought to {rate:g} Hz."
NO_DATA_FILE = "The data file that the header names is missing; give .vhdr, .eeg and .vmrk together."
DATA_FILE_SHORT = "The data file is shorter than its header or its markers say; get all files again."
VHDR_CHANNELS = "The header says {stated} channels and names {named}; get the .vhdr, .eeg and .vmrk files again."
NUMBERS_OUT_OF_ORDER = (
    "The numbers of the data file stand in another order than its header says, so channels and times would be mixed "
    "up; export it again."
)
NOTE_DATA_FILE = "The header names its data file otherwise; the one given with it was used."
FIF_PART_MISSING = "These are parts of one recording, and not all of them; give all its .fif files together."
NOTE_PARTS = "The recording was written in {count} files, which were joined in their order."
NOTE_ONE_PART = "This file is one part of a recording that was written in several; only it was read."
NOTE_MARKED_BAD = "Marked as bad in the file, and left out: {names}."
NOTE_EPOCHS = "The recording is cut into {count} epochs, which were joined."

WHICH_TRIAL = (
    "The file holds {count} trials or recordings, which do not make one reading; say which one is meant by its number, "
    "from 1 to {count}, as the trial."
)
NO_SUCH_TRIAL = "The file holds {count} trials or recordings; give the number of one of them, from 1, or none."
NOTE_TRIAL = "Trial {trial} of {count} was read."
NOTE_LAYOUT = "Told by its variables, the file is from {name}: its {rate:g} Hz and its order of channels were used."
SEVERAL_RATES = "The file states several sampling rates ({rates} Hz); save it with the one that is true."
SIDECAR_NAMES = "The file and the .json beside it name different channels; correct one of them."
RATES_DIFFER = (
    "The file states {stated:g} samples a second, and {given:g} were given; leave the rate out, or correct the file."
)
NAMES_DIFFER = (
    "Electrode {number} is {stated} in the file and {given} in the names given; leave the names out, or correct the "
    "file."
)
NAMES_COUNT = (
    "The file names {stated} electrodes, and {given} names were given; leave the names out, or correct the file."
)
ARRAY_AXES = (
    "An array of {shape} has more axes than channels, samples and trials; save one recording as channels and samples."
)
ARRAY_DAMAGED = "The array file is damaged or cut short; save plain numbers again."
ARRAY_OBJECTS = (
    "The array file holds Python objects, which are never opened, or is damaged or cut short; save plain numbers again."
)
ARRAY_STATES_NOTHING = (
    "The array does not state its sampling rate or its channel names; save them with it as sfreq and channels, or "
    "state them."
)
ARRAY_NO_DATA = "No array of numbers with channels and samples was found; call the signal data."
ARRAY_SHAPE = "{count} channel names do not fit an array of {shape}; one axis has to be the channels."
JSON_UNREADABLE = "The .json file cannot be read; it has to hold sfreq and channels."
EEGLAB_NO_NAMES = "The EEGLAB file does not name its channels; add channel locations in EEGLAB."
NO_FDT = "The .fdt file that belongs to the .set is missing; give both files together."
FDT_SHORT = "The .fdt file is not as long as its .set says: get both files again."

TABLE_DAMAGED = "The table is damaged or cut short; every line needs the same columns, one for each channel."
TABLE_NO_NUMBERS = "This text is not a table of numbers; give one sample a line and one column a channel."
TABLE_STATES_NOTHING = (
    "The table does not state its sampling rate or its channel names; give it a time column and a header line, or "
    "state them."
)
TABLE_SHAPE = "{names} channel names do not fit {columns} columns; state one name for each column."
OPENBCI_NAMES = "The OpenBCI file has {columns} channels and does not say where they are; state a name for each."
NOTE_OPENBCI = "The file does not say where its {columns} electrodes are; OpenBCI's usual places are assumed."
MUSE_INTERVAL = (
    "Mind Monitor wrote {lines:.0f} lines a second and the headband measures {rate:.0f}; set its recording interval to "
    "constant and record again."
)
TABLE_LINE = (
    "Line {line} of the table has {cells} cells, and its header or the other lines have {columns}; every line needs "
    "the same columns, so export it again or correct that line."
)
TABLE_LOST = (
    "Of the samples {share:.0%} are missing in short pieces, too many to bridge; record again closer to the receiver, "
    "or export all samples."
)
TABLE_RATE_CONFLICT = (
    "The file says {stated:g} Hz and {typed:g} Hz was typed; leave the rate empty, or correct the file if it is wrong."
)
TABLE_NAMES_CONFLICT = (
    "The file names its channels {stated} and {typed} was typed; leave the names empty, or correct the file if they "
    "are wrong."
)
TABLE_ROWS_NUMBERED = (
    "The time column only numbers the lines, so the sampling rate is not known; state it, or export times in seconds."
)
TABLE_EEG_COLUMNS = (
    "{names} channel names do not fit the file, which has {columns} EEG columns (columns {first} to {last}); state one "
    "name for each of these."
)
TABLE_UNIT = "The columns are in {units}, which are no units of voltage; export the signal in microvolts."
NOTE_UNITS_MISSING = "Some columns state no unit; that of the others was assumed for them."
NOTE_PAUSES = "Pauses in the recording: {count}, with {seconds:.1f} s missing in all; the parts were joined."
NOTE_LOST = "Lost samples, {share:.1%} of all, were bridged by straight lines."
NOTE_TIMES_AGAIN = "The times begin again: the recording has {count} parts, which were joined."
NOTE_SAME_TWICE = "The same part is in the file more than once; {count} repeats were left out."
NOTE_RATE = "The sampling rate as read is {rate:g} Hz, {origin}."
RATE_STATED = "stated in the file"
RATE_TYPED = "as typed"
RATE_FROM_TIMES = "worked out from the file's times"
RATE_OF_DEVICE = "that of the device, as the file does not state it"
KIND_BRAINFLOW = "BrainFlow CSV"
KIND_OPENBCI_SD = "OpenBCI SD card"
KIND_ENOBIO = "Neuroelectrics .easy"
KIND_EMOTIV = "Emotiv CSV"
KIND_TABLE = "text table"
KIND_OPENBCI = "OpenBCI text"
KIND_SIMULATED = "simulated"

# Electrodes, rates and units (copilot/eeg/reader.py, channel_names.py, numbered_montages.py, units.py)

TOO_SHORT = "The recording lasts {seconds:.1f} s; at least {least} s are needed, and two minutes are better."
RATE_OUT_OF_RANGE = (
    "The sampling rate is {rate:g} Hz; from {low:.0f} to {high:.0f} Hz can be used, so check the rate or export the "
    "recording again."
)
NOTE_MINUTES = "Only the first {most} of {minutes:.0f} minutes were read."
TOO_FEW_ELECTRODES = (
    "The file has {found} whose place on the scalp is known{left_out}; at least {least} are needed, named as in the "
    "10-20 system and recorded against one reference."
)
NO_ELECTRODES = "no EEG channels"
ONE_ELECTRODE = "only one EEG channel"
FEW_ELECTRODES = "only {count} EEG channels"
LEFT_OUT_ASIDE = " (left out, because they are not single scalp electrodes: {kinds})"
NOTE_LEFT_OUT = "Left out, because they are not single scalp electrodes: {kinds}."
NOTE_CAP = "Channels are numbered as on {cap}; its usual places are assumed."
CAP_UNKNOWN = (
    "The electrodes are numbered as on a cap, and too many are missing to know which one; call them by their names in "
    "the 10-20 system."
)
CAP_BIOSEMI = "a BioSemi cap of {count}"
CAP_EGI = "an EGI HydroCel net of {count}"
NOTE_REFERENCE = "All channels were recorded against {name}, which is taken as their common reference."
NOTE_REPEATED = "More than one channel is called {names}; the first of each is used."
CHANNEL_ECG = "ECG"
CHANNEL_EYE = "eye movement"
CHANNEL_MUSCLE = "muscle"
CHANNEL_ANNOTATION = "annotation"
CHANNEL_TRIGGER = "trigger"
CHANNEL_MOVEMENT = "movement"
CHANNEL_BREATHING = "breathing"
CHANNEL_REFERENCE = "reference"
CHANNEL_BIPOLAR = "bipolar"
CHANNEL_OTHER = "other"

MISSING_VALUES = "{share:.0%} of the values are missing or not numbers; export the recording again."
NOTE_NO_VALUES = "Left out, because they hold no values: {names}."
NOTE_BRIDGED = "{share:.2%} of the values were missing and were bridged by straight lines."
NOTHING_RECORDED = "Every channel is constant: nothing was recorded, or the export failed; record or export again."
NO_SCALP = (
    "The values cannot be a scalp's in any unit, so the file is damaged or holds something else; get the original "
    "again, or export it in microvolts."
)
NOTE_MICROVOLTS = "The values were taken as microvolts, which fits their size."
NOTE_SCALED = "The values were taken as {unit}, which fits their size, and scaled to microvolts."
NOTE_RESCALED = (
    "The units that the file states do not fit its values, which were multiplied by {factor:g} to be microvolts."
)
VOLTS, MILLIVOLTS, MICROVOLTS, NANOVOLTS = "volts", "millivolts", "microvolts", "nanovolts"

# Cleaning and quality (copilot/eeg/preprocessing/clean.py, ica.py)

TOO_FEW_SECONDS = (
    "Only {seconds} seconds of this recording can be used, and {least} are needed: record for a minute or more, "
    "sitting still."
)
TOO_MANY_BAD = (
    "{bad} of {total} electrodes carry no usable signal ({names}): check their contact with the skin and record again."
)
ALL_THE_SAME = "The channels all hold the same signal: check how the electrodes are connected."
TOO_FEW_SECONDS_LOUD = (
    "Only {seconds} seconds of this recording can be used, and {least} are needed: its usual amplitude of "
    "{amplitude:.0f} µV is more than EEG has, so check the unit that the file or its export states, and that the "
    "person sat still."
)
TOO_FEW_SECONDS_HUM = (
    "Only {seconds} seconds of this recording can be used, and {least} are needed: interference at {hertz:g} Hz "
    "drowns the rest, so find what causes it and record again."
)
COPIES = (
    "Most channels hold the same signal as others and nothing of their own: check how the electrodes are connected and "
    "that they touch the skin."
)
NORMALISED = (
    "All channels have the same size, so the values were normalised and are no voltages: export the recording again in "
    "microvolts."
)
REPEATS = "Most of this recording repeats the same stretch sample by sample: export it again."
NOTHING_LEFT = (
    "Nearly everything in this recording is noise or muscle tension, and no brain signal is left: check that the "
    "headset is worn and that its electrodes touch the skin, then record again."
)

CLEANING_MAINS = "looking for mains hum"
CLEANING_FILTER = "filtering"
CLEANING_ELECTRODES = "looking for bad electrodes"
CLEANING_ARTEFACTS = "taking out eyes and muscles"
CLEANING_LOUD = "looking for loud seconds"
CLEANING_DONE = "clean"
READING_BEGUN = "opening the file"
READING_DONE = "read"

TRUST_MEANS = {
    "good": "The signal is good.",
    "fair": "The signal is fair: take what is read from it with care.",
    "poor": "The signal is poor: what is read from it is hardly more than a guess, so record again if you can.",
}
MAINS_REMOVED = "Mains hum at {hertz:g} Hz was found and removed."
MAINS_ABSENT = "No mains hum was found."
BAND_LIMITED = "The signal was limited to {low:g} to {high:g} Hz, at {rate} samples a second."
EMPTY_BANDS = (
    "These bands hold next to nothing, as after a filter: {bands}. What is read from them does not come from the brain."
)
INTERFERENCE = "Interference at {hertz:g} Hz was found and is still in the signal."
INTERFERENCE_SHARED = (
    "Interference at {hertz:g} Hz was found on all electrodes; the average reference took most of it out."
)
COARSE_STEPS = "The values come in steps of {step:.2g} µV, too coarse for a signal of {amplitude:.2g} µV."
AMPLITUDE_SMALL = (
    "The usual amplitude is {amplitude:.2g} µV, less than EEG has: the unit that the file or its export states is "
    "likely wrong."
)
AMPLITUDE_LARGE = (
    "The usual amplitude is {amplitude:.0f} µV, more than EEG has: the unit that the file or its export states is "
    "likely wrong."
)
NAMES_MIXED = (
    "Neighbouring electrodes are not as alike as on a head: this is no EEG, or the channels have each other's names."
)
NAMES_SHIFTED = (
    "The signals fit a head better when every name moves by one channel: names and signals have likely slipped."
)
NOT_FALLING = "Fast frequencies are as strong as slow ones, as in noise or muscle tension and not in EEG."
MUCH_REMOVED = (
    "Cleaning took out {removed} of {total} components and left {share:.0%} of the amplitude: most of the recording "
    "was not brain."
)
ELECTRODES_SAME = "All electrodes hold nearly the same signal: check how they are connected."
ELECTRODES_APART = "The electrodes have nothing in common, unlike any on one head: this is likely no EEG."
ELECTRODES_JOINED = "Connected with each other, as by gel or a wire, so that they hold the same signal: {names}."
SECONDS_EMPTY = "{count} seconds hold no signal, because it was bridged, held or fades away; they are not used."
SECONDS_REPEATED = "{count} seconds repeat earlier ones sample by sample; they are not used."
ELECTRODES_GOOD = "All {count} electrodes gave a usable signal."
ELECTRODES_ESTIMATED = (
    "{bad} of {total} electrodes gave no usable signal and were estimated from their neighbours: {which}."
)
ELECTRODES_LEFT_OUT = "{bad} of {total} electrodes gave no usable signal and were left out: {which}."
ELECTRODE_FAULT = "{name} ({fault})"
FAULT_FLAT, FAULT_RAILED, FAULT_NOISY = "no signal", "clipped", "noisy"
TOO_FEW_TO_SEPARATE = (
    "With fewer than {count} good electrodes, eyes and muscles cannot be told apart from brain: seconds with large "
    "deflections are left out instead, and the recording keeps its own reference."
)
COMPONENTS_REMOVED = "Independent component analysis took out: {components}."
COMPONENTS_OF = "{count} of {kind}"
ARTEFACTS = {"ocular": "eye movement", "muscle": "muscle tension"}
NO_COMPONENTS = "nothing"
AVERAGE_REFERENCE = "Voltages are against the average of all electrodes."
NO_EYE_ELECTRODES = "No electrode is near the eyes, so blinks could not be looked for."
SECONDS_USABLE = "{usable} of {total} seconds are usable."

# Figures (copilot/eeg/plots.py)

AXIS_SECONDS = "seconds"
AXIS_SECONDS_OF = "seconds, {shown} of {total} electrodes"
AS_READ, AS_CLEANED = "as read", "cleaned"
BAD_ESTIMATED, BAD_LEFT_OUT = "bad, estimated from neighbours", "bad, left out"
UNUSABLE_SECOND = "unusable second"
BANDS = {"delta": "Delta", "theta": "Theta", "alpha": "Alpha", "beta": "Beta", "gamma": "Gamma"}
BAND_ON_SCALP = "{band}, {low:g}-{high:g} Hz\n{least:.1f} to {most:.1f} µV"
BAND_COLOURS = "weakest to strongest\nin each band"
AXIS_MICROVOLTS = "µV (RMS)"

# Simulated recordings (copilot/eeg/simulate.py)

NOTE_SIMULATED = "This EEG is simulated."
EYES_CLOSED = "Eyes closed (simulated)"
EYES_CLOSED_ABOUT = (
    "Simulated: a relaxed person with closed eyes, strong 10 Hz alpha at the back of the head, good contact."
)
EYES_OPEN = "Eyes open, busy (simulated)"
EYES_OPEN_ABOUT = (
    "Simulated: an alert person with open eyes who blinks, little alpha and more fast activity at the front."
)
POOR_CONTACT = "Poor contact (simulated)"
POOR_CONTACT_ABOUT = (
    "Simulated: four electrodes with bad contact, mains hum and many blinks, to see what the quality report says."
)

# The pipeline (copilot/pipeline.py, model_metadata.py, eeg/classifier.py)

STAGES = {
    "read": "Reading the file",
    "clean": "Cleaning the signal",
    "encode": "Turning EEG into text",
    "score": "Weighing nine emotions",
    "write": "Writing the assessment",
}
NO_CODEC = "There is no codec {name!r}; choose one of: {choices}."
BASELINE_NUMBER = "baseline {number} of {total}"
BASELINE_IS_RECORDING = "it is the recording itself; give another recording of the same person, or none."
BASELINE_TWICE = "it is the same recording as another baseline; give each only once."
BASELINE_UNUSABLE = "Baseline {number} of {total} cannot be used: {reason}"
TOO_FEW_KNOWN = (
    "Only {count} of the electrodes that the models know are in this recording; at least {least} of the 10-20 system "
    "are needed."
)
NOTE_IN_PLACE_OF = "{channel} was read in place of {name}."
NOTE_UNTRAINED = "This language model {known}; {rest}."
UNTRAINED = "was not trained for EEG"
PERHAPS_UNTRAINED = "runs on a server, and may not have been trained for EEG"
RESTS_ON_NOTHING = "without the decoder's evidence its reading is a guess"
RESTS_ON_DECODER = "what it says rests on the decoder's evidence"
NOTE_OTHER_CODEC = "This model was trained on the codec {trained}, not on {used}."
NOTE_NO_BASELINE = "No other recording of this person was given; with one the reading is more accurate."
NOTE_CUT_OFF = "The answer was longer than is allowed or was broken off, and is cut off at its end."
NOTE_LABELS_ALIKE = (
    "The model server tells these apart by their first letters only, so they share one probability: {labels}."
)
TRAINED_WITH_ANOTHER = "This model was trained with another {what} than this program uses; do not rely on it."
TRAINED_WITH_DECODER = "This model was trained with another decoder than the one in use; do not rely on it."
FED = {
    "prompt_version": "prompt version",
    "labels": "labels",
    "codec_parameters": "codec parameters",
    "system": "system",
    "codec": "codec",
}
NAME_A_RECORDING = "Name a recording, or --example NAME for a simulated one."
NOT_BOTH = "Name a recording or --example NAME, not both."
NO_DECODER = "The decoder {name} is missing; set EEG_COPILOT_DECODER to where it is."
NOT_A_DECODER = "{name} is not a decoder that this version can read; run `make model`."

WORDS_LEFT_OUT = (
    "This language model reads English only: what was written in other letters stands in the record, but not in its "
    "prompt."
)

# The language model (copilot/engine)

NO_LLAMA = "The package llama-cpp-python is missing; install requirements.txt or set EEG_COPILOT_SERVER."
NO_MODEL_FILE = "There is no model file at {path}; set EEG_COPILOT_MODEL to a GGUF file."
NOT_GGUF = "{name} is not a GGUF model file; set EEG_COPILOT_MODEL to one that is."
MODEL_FILE_DAMAGED = "The model file {name} is damaged or incomplete; copy it again."
MODEL_UNKNOWN = (
    "The model file {name} is damaged, incomplete or of a kind that this llama.cpp does not know; copy it again or "
    "choose another."
)
MODEL_MEMORY = "No memory for {context:,} tokens of context; lower EEG_COPILOT_CONTEXT."
MODEL_CHANGED = "The model file {name} was changed while it was in use; start the program again."
MODEL_CLOSED = "The model has been closed; start the program again."
MODEL_FAILED = "The model failed on this text; try again with a shorter one."
MODEL_TEMPLATE = "The model's chat template cannot be used ({reason}); choose another model."
CONTEXT_FULL = "This needs {needed:,} tokens and the model's context holds {context:,}; shorten the texts."
CONTEXT_FULL_FOR_NOW = (
    "This needs {needed:,} tokens and the model's context holds {context:,}; shorten the texts or raise "
    "EEG_COPILOT_CONTEXT."
)
SERVER_SILENT_AT_ONCE = "The model server sent no answer; the conversation may be longer than its context."
SERVER_KEY = "The model server refuses the key; set EEG_COPILOT_SERVER_KEY to one that it accepts."
SERVER_NO_MODEL = (
    "The model server has no model {model!r}, or no chat at this address; correct EEG_COPILOT_SERVER_MODEL or "
    "EEG_COPILOT_SERVER."
)
SERVER_ERROR = "The model server reports an error: {status}, {said}."
SERVER_NO_REASON = "no reason given"
SERVER_ADDRESS = "EEG_COPILOT_SERVER is no address; it has to look like http://127.0.0.1:11434/v1."
SERVER_ABSENT = "No model server answers at {server}; start it or correct EEG_COPILOT_SERVER."
SERVER_SILENT = "The model server at {server} has fallen silent; look at it and try again."
SERVER_BROKE_OFF = "The model server at {server} broke off its answer; look at it and try again."
SERVER_NO_LABELS = "The server's model names none of the labels; set EEG_COPILOT_READOUT=decoder."
SERVER_NO_PROBABILITIES = "The model server gives no probabilities; set EEG_COPILOT_READOUT=decoder."
SERVER_EMPTY = "The model server sent an empty answer; look at its model, or correct EEG_COPILOT_SERVER."
SERVER_TOO_MUCH = (
    "The model server at {server} sends more than an answer can be; look at it, or correct EEG_COPILOT_SERVER."
)
SERVER_TOO_LONG = "The model server at {server} took too long over its answer; look at it and try again."
SERVER_PROTOCOL = "The server does not speak OpenAI's chat protocol; correct EEG_COPILOT_SERVER."

# The chat (copilot/chat.py, certainty.py)

HOW_SURE = {
    "clear": (
        "The confidence is clear: {emotion} is at least twice as likely as by chance and stands out from the others. "
        "Even then such readings are often wrong."
    ),
    "leaning": (
        "Not very sure. The reading only leans towards {emotion}: it is more likely than by chance, but other emotions "
        "are close behind."
    ),
    "unclear": (
        "Not sure at all. No emotion stands out, and {emotion} is only the first of nine that are about as likely."
    ),
}
HOW_SURE_POOR = (
    "Not sure at all. The recording is poor, so that what was read from it is hardly more than a guess: record again "
    "if you can."
)
HOW_SURE_NEUTRAL = "a neutral state"
HOW_SURE_THEN = (
    "{answer} The bars show all nine probabilities. The person's own words count for more, and this is not a diagnosis."
)

# The command line (copilot/cli.py, cli_output.py)

TEN_PROMPTS = "The codec wavelet-segments makes ten prompts, not one; use analyse or another codec."
STAGE_ABOUT = "{stage} (about {seconds} s)"
MODEL_BUSY = "Waiting for another stream of this model"
QUALITY = "Quality: {trust}, {clean} of {total} s are clean ({percent})."
ASSESSMENT_BELOW = "Assessment:"
TOO_POOR = "Too poor a recording to name an emotion; the numbers above are hardly more than a guess."
MOST_PROBABLE = "Most probable: {emotion} ({certainty}); {three_class}; valence {valence:+.2f}."
PROBABILITIES_FROM = "Probabilities from: {readout}; model {model}."
ASK = "Ask about this reading; Ctrl-C stops an answer, Ctrl-D or exit leaves."
ANSWER_STOPPED = "Stopped."
READING_QUESTION = "Reading the question"
PROGRAM_FAULT = "This is a fault of the program, please report it: {what}"

# The PDF

PDF_DRAFT, PDF_SIGNED = "Draft - not signed", "Signed"
PDF_NOT_A_DEVICE = "Research tool, not a medical device"
PDF_PENDING = "AI-suggested fields that no clinician has reviewed: {count}. They are marked like this line."
PDF_ACCEPTED = "AI-suggested, accepted by {name}, {on}"
PDF_WRITTEN = "Written by {name}, {on}"
PDF_AMENDS = "amends the signed version {sha256}"
PDF_NAMELESS = "This copy leaves out name and number; a signature on it is that of the original."

# Batch

BATCH_LOOKING = "Looking for what is finished"
BATCH_READING = "Recordings"
BATCH_DONE = "{done} of {total} recordings have their draft record; {folder}/summary.md says the rest."
BATCH_STOPPED_LOOKING = "Stopped before anything was read; what earlier runs finished stays as it is."
BATCH_STOPPED = "Stopped: {done} of {total} recordings are finished; the same command again goes on from there."
BATCH_NOT_A_FOLDER = "{folder} is not a folder; name the one that holds the recordings."
BATCH_NO_RECORDINGS = "There is no recording in {folder}; name the folder that holds them."
BATCH_OTHER_THINGS = "{folder} holds other things already; name a new folder, or that of an earlier batch."
BATCH_LOCKED = "Another batch writes to {folder}; wait for its end or name another folder."
BATCH_NO_FOLDER = "{folder} cannot be made or written to: {why}."
BATCH_NOT_WRITTEN = "{file} could not be written: {why}. What is finished stays; the same command again goes on."
BATCH_BAD_SOURCES = (
    "sources.csv is not as it was written, and tells which number is which file: put it back, or name a new folder."
)
BATCH_NO_KEY = "The table of people has neither a column file nor participant_id; one of them says whom a row is about."
BATCH_NOT_OPENED = (
    "A process ended while it opened the model ({how}); where memory is short, give --workers a smaller number."
)
BATCH_NO_RAY = "The package ray is missing; install it: python -m pip install 'ray[client]'."
BATCH_NO_CLUSTER = (
    "The Ray cluster at {address} cannot be used: {why}. Check the address, or start one with `ray start --head`."
)
BATCH_NO_NODE = "No machine of the Ray cluster could start a reader within {seconds} s; each needs {gigabytes:.1f} GB."
BATCH_OTHER_MODEL = "A machine of the Ray cluster has another model file; copy the same one to all of them."

BATCH_NOT_READ = "The file cannot be read: {why}."
BATCH_DIED = "The process that read it ended ({how}), as happens where memory runs out: run again with fewer workers."
BATCH_FAULT = "The program failed on it, please report this: {kind} at {place}."

BATCH_NO_ROW = "The table of people has no row for it."
BATCH_BAD_PERSON = (
    "Row {row} of the table of people was not used for the person: age is given in whole years from 0 to 120, gender "
    "as F, M or O, and texts have at most 600 characters."
)
BATCH_BAD_PARTICULARS = "Name or number in row {row} of the table of people is too long and was left out."
BATCH_NO_BASELINE = "A baseline in row {row} of the table of people is no recording of this folder and was left out."
BATCH_DANGER = "The person's own words speak of danger: please read them now."
BATCH_IDLE_ROW = "Row {row} names no recording of this folder."
BATCH_ROW_OF_NOBODY = "Row {row} says neither file nor participant_id."
BATCH_ROW_TWICE = "Row {row} is about the same as an earlier row, which counts."

BATCH_TITLE = "Summary of a batch of EEG readings"
BATCH_COUNTS = "{total} recordings: {done} read, {failed} failed, {waiting} not read yet."
BATCH_DRAFTS = "The records are drafts: no clinician has reviewed any of them."
BATCH_SOURCES = (
    "Recordings go by number here and in the records. Which number is which file stands in sources.csv alone: keep it "
    "back when you pass the rest on, since names of files may tell names of people."
)
BATCH_CARE = (
    "This tells what the model read, recording by recording. It is no measure of how a group of people feels, and not "
    "made for comparing people."
)
BATCH_EMOTIONS = "Emotions"
BATCH_EMOTIONS_OVER = "Over the {count} recordings of good or fair quality."
BATCH_EMOTION = "Most probable emotion"
BATCH_MEAN = "Mean probability"
BATCH_CONFIDENCE = {"clear": "stands out", "leaning": "leaning", "unclear": "uncertain"}
BATCH_CHART = "How often each emotion was the most probable one, and how good the recordings were."
BATCH_RECORDINGS = "Recordings"
BATCH_QUALITY = "Quality"
BATCH_CLEAN = "Median share of clean seconds"
BATCH_FAILED = "Failed"
BATCH_REMARKS = "About the people"
BATCH_TABLE = "Table of people"
BATCH_NUMBER = "Number"
BATCH_REASON = "Reason"
BATCH_REMARK = "Remark"
BATCH_MADE = "How it was made"
BATCH_TOOK = "Median time of a recording"

# The store

STORE_GONE = (
    "This record is not kept any more: somebody deleted it, or its time was over. Keep it again if you want it back."
)
STORE_CHANGED = (
    "Somebody else changed this record while you had it open, so your changes were not saved. Open it again from the "
    "list and repeat them there."
)
STORE_NOT_KEPT = "This record is not kept here: it was deleted, or its time was over."
STORE_UNREADABLE = (
    "What is kept of this record is damaged. Export everything to have what is left of it, then delete it here."
)
STORE_BUSY = "Somebody else is writing to the kept records; try again in a moment."
STORE_FULL = "The disk with {file} is full or fails, so nothing was changed. Make room on it and try again."
STORE_NOT_WRITABLE = (
    "Records cannot be kept in {file}: the file or its folder cannot be written. Give yourself the right to write "
    "there, or name another folder in EEG_COPILOT_DATA."
)
STORE_NOT_A_FILE = (
    "{file} is a link or no plain file, so no records are kept in it. Put the file itself there, or name another "
    "folder in EEG_COPILOT_DATA."
)
STORE_DAMAGED = (
    "{file} is damaged or holds no kept records. Move it to a safe place, then start again: a new one is made, and "
    "what is in the old one may still be rescued."
)
STORE_OTHER_VERSION = (
    "Another version of EEG Emotion Copilot wrote {file} (number {found}; this one knows {known}). Nothing in it was "
    "changed; use that version, or name another folder in EEG_COPILOT_DATA."
)
STORE_TRACES = (
    "What you deleted is gone from the list, but traces of it may still be in the file; the next start removes them. "
    "{why}"
)
