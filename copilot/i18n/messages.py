"""Messages that several modules show; all others are where they are raised."""

from copilot.i18n import N_

TITLE = N_("EEG Emotion Copilot")
MODEL = N_("Model")
STOP = N_("Stop")
DELETE = N_("Delete")
NONE = N_("none")
COUNTED = N_("{count} {kind}")

FAILED_HERE = N_("Something went wrong inside the copilot. What you wrote is still here; please try again.")

# The form

APPEARANCE = N_("Appearance")
COMPLAINT = N_("Complaint")
HISTORY = N_("History")
NOT_AN_AGE = N_("Age is {age!r}; give whole years from 0 to {most}.")

# The result and its figures

FOUND_AND_DONE = N_("What was found and done")
SIGNAL_ALT = N_("The EEG as it was read and after cleaning, channel by channel.")
BANDS_ALT = N_("Power in five frequency bands, electrode by electrode, after cleaning.")
BANDS = {"delta": N_("Delta"), "theta": N_("Theta"), "alpha": N_("Alpha"), "beta": N_("Beta"), "gamma": N_("Gamma")}

CALIBRATED = N_(
    "A probability of 30 % means: in about 3 of 10 such readings this emotion was the right one, measured on 20 people "
    "of the FACED study whom the model had never seen, ten seconds of a film clip each time. The films were those it "
    "had learned from: any other situation it reads hardly better than by guessing."
)
NOT_CALIBRATED = N_("How often such probabilities are right was not measured for this model.")
CHANCE = N_("chance, 11 %")
THREE_CLASSES = N_("Negative, neutral, positive")

# The chat

QUESTION_TOO_LONG = N_("The question has {length} characters; at most {most} are read. Shorten it and send it again.")

# The record and its review

FIELD_NAME = N_("Name")
FIELD_NUMBER = N_("Number")
FIELD_GENDER = N_("Gender")
FIELD_LABORATORY = N_("Laboratory")
FIELD_FOLLOW_UP = N_("Follow-up")
FIELD_EXPENSES = N_("Expenses")
LEFT_EMPTY = N_("left empty")

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

DRAFT_RECORD = N_("Draft medical record")
SIGNED_RECORD = N_("Medical record")
STATUS = {"draft": N_("draft, not signed"), "signed": N_("signed")}
SIGNATURE = N_("Signature")
SIGNED_BY = N_("Signed by {name}, {role}, on {at}")
SIGNATURE_DIGEST = N_("What was signed (SHA-256)")
NOT_YET = N_("You can sign when nothing is left to review.")
REVIEWER = N_("Your name")

CHANGES = N_("Changes")
BEFORE = N_("Before")
AFTER = N_("After")
ACTION = {
    "accepted": N_("accepted"),
    "edited": N_("edited"),
    "deleted": N_("deleted"),
    "signed": N_("signed"),
    "amended": N_("began an amendment"),
}
UNSAVED = N_("Work on the record is neither kept nor downloaded yet. Go on and lose it?")

ABOUT_RECORD = N_("About this record")
ABOUT_ID = N_("Record")
ABOUT_VERSION = N_("Version {version}")
ABOUT_CREATED = N_("Created")
ABOUT_SOFTWARE = N_("Software")
ABOUT_MODEL = N_("Model")
ABOUT_MODEL_FILE = N_("Model file (SHA-256)")
ABOUT_DECODER = N_("Decoder file (SHA-256)")
ABOUT_REMOTE = N_("not known: the model runs on a server")
ABOUT_PROMPT = N_("Prompt (SHA-256)")
ABOUT_READOUT = N_("Probabilities from")
ABOUT_AMENDS = N_("Amends the signed version (SHA-256)")
ABOUT_PROSE = N_("The model's own text is in English, the language it was trained in.")
FHIR_TRUST = N_("How far to trust it")

RECORD_NOBODY = N_("Give your name and your role; both stand in the record's history.")
RECORD_TOO_LONG = N_("{label} has {length} characters; at most {most} are kept.")
RECORD_NOT_JSON = N_("This is not a record: the text is not JSON.")

# Files of recordings (copilot/eeg/reader.py, copilot/eeg/formats)

SEVERAL_RECORDINGS = N_("These are the files of several recordings; give one recording at a time.")
KIND_DAMAGED = N_("The {kind} file is damaged, cut short or of a variety that is not read; export it as EDF.")
TOO_MUCH_MEMORY = N_("The recording needs more memory than is allowed; cut out the part that matters.")
NOTE_FILE_LONGER = N_(
    "The file is {more:.0f} s longer than its header says; only the {read:.0f} s that the header speaks of were read."
)
NUMBERS_OUT_OF_ORDER = N_(
    "The numbers of the data file stand in another order than its header says, so channels and times would be mixed "
    "up; export it again."
)
NOTE_EPOCHS = N_("The recording is cut into {count} epochs, which were joined.")
NO_SUCH_TRIAL = N_("The file holds {count} trials or recordings; give the number of one of them, from 1, or none.")

TABLE_STATES_NOTHING = N_(
    "The table does not state its sampling rate or its channel names; give it a time column and a header line, or "
    "state them."
)
TABLE_NAMES_CONFLICT = N_(
    "The file names its channels {stated} and {typed} was typed; leave the names empty, or correct the file if they "
    "are wrong."
)
TABLE_EEG_COLUMNS = N_(
    "{names} channel names do not fit the file, which has {columns} EEG columns (columns {first} to {last}); state one "
    "name for each of these."
)
RATE_STATED = N_("stated in the file")
RATE_TYPED = N_("as typed")
RATE_FROM_TIMES = N_("worked out from the file's times")

# Cleaning and quality (copilot/eeg/electrodes.py, copilot/eeg/preprocessing)

EYE_MOVEMENT = N_("eye movement")
ALL_THE_SAME = N_("The channels all hold the same signal: check how the electrodes are connected.")
ELECTRODE_FAULT = N_("{name} ({fault})")

# The language model (copilot/llm)

NO_MODEL_FILE = N_("There is no model file at {path}; set EEG_COPILOT_MODEL to a GGUF file.")
MODEL_UNKNOWN = N_(
    "The model file {name} is damaged, incomplete or of a kind that this llama.cpp does not know; copy it again or "
    "choose another."
)
MODEL_MEMORY = N_("No memory for {context:,} tokens of context; lower EEG_COPILOT_CONTEXT.")
SERVER_PROTOCOL = N_("The server does not speak OpenAI's chat protocol; correct EEG_COPILOT_SERVER.")

# The batch (copilot/batch)

BATCH_NOT_OPENED = N_(
    "A process ended while it opened the model ({how}); where memory is short, give --workers a smaller number."
)
BATCH_NOT_READ = N_("The file cannot be read: {why}.")
BATCH_EMOTION = N_("Most probable emotion")
BATCH_CONFIDENCE = {"clear": N_("stands out"), "leaning": N_("leaning"), "unclear": N_("uncertain")}
BATCH_RECORDINGS = N_("Recordings")
BATCH_QUALITY = N_("Quality")
