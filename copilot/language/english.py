"""Every sentence that the web page shows, in one place, so that a second language can come later."""

TITLE = "EEG Emotion Copilot"
TAGLINE = "From an EEG and a few words to an uncertain emotion, a careful assessment and a draft record."
LOCAL = "Everything runs on this machine."
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
NO_NAMES = "No names or numbers, please: none are needed."

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
CHANNELS, CHANNELS_HINT = "Channel names", "In the file's order: Fp1, Fp2, F3 ..."
TOO_LARGE = "The files have {size:.0f} MB together and at most {most} MB are taken; cut out the part that matters."
IN_MEMORY = "In memory, no longer on disk: {names}"

ANALYSE, STOP, CLEAR = "Analyse", "Stop", "Clear everything"
EMPTY = "Your reading appears here"
EMPTY_STEPS = (
    ("The signal", "drawn and judged before any AI text"),
    ("Nine emotions", "as probabilities, with their uncertainty"),
    ("An assessment", "that you can ask about"),
    ("A draft record", "to edit and download"),
)

NO_CONSENT = "Please agree to the notice first."
NO_RECORDING = "Add an EEG file or choose one of the examples."
NOT_AN_AGE = "Age is {age!r}; give whole years from 0 to {most}."
NOT_A_RATE = "{rate!r} is not a sampling rate; give samples a second as a number, for example 250."
STOPPED = "Stopped. Press Analyse to start again."
CLEARED = "Everything of this visit has been deleted."
FAILED = "Something went wrong inside the copilot. Nothing was kept; please try again or try another file."
NO_READING = "Analyse a recording first; then there is something to ask about."

NO_MODEL = "The model file {path} is missing; set EEG_COPILOT_MODEL to a GGUF file or make it with `make model`."
OPENING = "Opening the model"
AHEAD_ONE = "1 person is ahead of you. Your turn comes by itself."
AHEAD_MANY = "{count} people are ahead of you. Your turn comes by itself."
BUSY = "Finishing somebody else's answer first."
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

RECORD_HEADING = "The draft record"
RECORD_HINT = "Change whatever is wrong; what you change is marked as written by a clinician."
MARKDOWN, JSON = "Download Markdown", "Download JSON"
PROMPT_HEADING = "The exact prompt"
