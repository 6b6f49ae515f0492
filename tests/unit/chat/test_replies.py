"""What answers a question: the facts that belong to it, and reviewed texts that are true of every reading."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from copilot import pipeline
from copilot.chat.replies import Reply, find_reply, nearest_questions, read_topics, suggest_questions
from copilot.eeg.classifier import Classifier
from copilot.eeg.simulate import simulate
from copilot.emotions import EMOTIONS
from copilot.events import RecordReady
from copilot.facts import Fact, Facts
from copilot.facts.emotion import list_emotion_facts
from copilot.i18n import LANGUAGES, N_, Translator, read_catalogue
from copilot.person import Person
from copilot.result import Result
from copilot.settings import Settings
from tests.helpers.fake_engine import FakeEngine

FROM_FACTS = re.findall(
    r"\w+",
    "emotion rank least order probability compare confidence reliability situation three_class valence states eyes "
    "effort sleep quality bad_channels usable_seconds length rate mains removed channels absent_channels rhythm band "
    "where compared_with why meaning better words person model encoding prompt timing storage purpose notes everything",
)
FROM_TEXTS = re.findall(
    r"\w+",
    "what_is_eeg what_is_baseline what_is_valence what_are_bands what_is_artefact what_is_probability nine_emotions "
    "faced_films how_it_works is_it_true diagnosis medication therapy doctor illness sleep_advice caffeine "
    "alcohol_drugs exercise breathing stress sad angry afraid lonely feel_good tired advice how_to_record repeat "
    "children intelligence mind_reading future harmless normal disagree law work_school who_made_you are_you_ai "
    "capabilities share delete greeting thanks goodbye insult compliment language moments "
    "enough_channels validated record errors anonymity earlier peers what_is_bad_channel simple what_is_emotion "
    "same_result clinical text_by",
)
#: Answered from facts and a text.
FROM_BOTH = re.findall(r"\w+", "mains better diagnosis disagree enough_channels errors earlier text_by")
#: Answered from facts where the question names a rhythm or an emotion.
FROM_NAMES = ("what_are_bands", "what_is_emotion", "simple", "normal")
#: An example of each slot.
SLOTS = {"emotion": "joy", "emotion2": "fear", "rank": "2", "band": "alpha", "region": "occipital"}

LATIN = set(re.findall(r"\w+", "FACED EEG Emotion Copilot arXiv PDF Markdown JSON FHIR ChatGPT docs truth md"))
TEXTS = [(intent, text) for intent, topic in read_topics().items() for text in topic.texts]


@dataclass
class Asked:
    intent: str
    slots: Mapping[str, str] = field(default_factory=dict)


def emotion_facts(probabilities: Sequence[float]) -> Iterator[Fact]:
    texts = dict.fromkeys(("assessment", "raw", "model", "model_sha256", "prompt_sha256", "codec"), "")
    result = Result(np.array(probabilities), "both", suggestions=(), timings={}, situation="faced-films", **texts)
    return list_emotion_facts(result, "")


def fact(key: str, value: object = "x") -> Fact:
    return Fact(key, value, "", N_(f"About {key}."))


#: In the order of EMOTIONS: anger disgust fear sadness neutral amusement inspiration joy tenderness.
CLEAR = (0.05, 0.06, 0.07, 0.08, 0.09, 0.10, 0.11, 0.34, 0.10)
EQUAL = (1 / 9,) * 9


def make_facts(probabilities: Sequence[float] = CLEAR, **values: object) -> Facts:
    z = {"frontal": 0.2, "central": None, "temporal": -1.4, "parietal": 0.0, "occipital": 2.5}
    values = {
        **dict.fromkeys(("states", "quality", "bad_channels", "mains", "rhythm", "better", "compared_with"), "x"),
        **dict.fromkeys(("why", "where", "purpose", "notes", "removed", "channels.absent", "usable_seconds"), "x"),
        "state.sleep": "awake", "state.effort": None, "state.eyes": "closed", "bad.T7": ("flat",), "bad.P4": ("noisy",),
        **{f"state.{name}.reliability": None for name in ("sleep", "effort", "eyes")},
        **{f"band.{region}.alpha": value for region, value in z.items()},
        **{f"band.{region}.beta": None for region in z},
        **values,
    }  # fmt: skip
    stated = Facts([*emotion_facts(probabilities), *(fact(key, value) for key, value in values.items())])
    return Facts(stated.values())


def keys(intent: str, facts: Facts | None = None, **slots: str) -> list[str]:
    return [one.key for one in find_reply(Asked(intent, slots), facts or make_facts()).facts]


def sentences(intent: str, facts: Facts | None = None, **slots: str) -> list[str]:
    return [str(one.sentence) for one in find_reply(Asked(intent, slots), facts or make_facts()).facts]


# Every question has its answer


@pytest.fixture(scope="module")
def real_facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    made, path = simulate(seconds=20, bad_channels={"T7": "noisy"}, seed=3), tmp_path_factory.mktemp("e") / "e.npz"
    np.savez(path, data=made.data, sfreq=made.sfreq, channels=np.array(made.channels))
    settings = Settings(protocol="faced-films")
    known = {"engine": FakeEngine(), "settings": settings, "classifier": Classifier.load(settings.decoder)}
    events = {type(event): event for event in pipeline.analyse([path], Person("female", 20), **known)}
    return events[RecordReady].facts


def test_everything_that_can_be_asked_is_a_topic() -> None:
    assert list(read_topics()) == FROM_FACTS + FROM_TEXTS


@pytest.mark.parametrize("slots", [{}, SLOTS])
def test_every_question_is_answered_from_real_facts_or_texts(real_facts: Facts, slots: Mapping[str, str]) -> None:
    for intent in FROM_FACTS:
        reply = find_reply(Asked(intent, slots), real_facts)
        assert reply.facts, intent
        assert bool(reply.choices) == (intent in FROM_BOTH), intent
    for intent in FROM_TEXTS:
        reply = find_reply(Asked(intent, slots), real_facts)
        assert len(reply.choices) <= 4, intent
        assert reply.choices or (slots and intent in ("what_are_bands", "simple")), intent
        assert bool(reply.facts) == (intent in FROM_BOTH or (bool(slots) and intent in FROM_NAMES)), intent


def test_what_is_no_topic_has_no_reply() -> None:
    assert find_reply(Asked("outside"), make_facts()) == Reply() == find_reply(Asked("rank.1"), make_facts())


def test_a_rhythm_or_an_emotion_that_is_named_is_explained() -> None:
    (said,) = sentences("what_are_bands", band="theta")
    assert "4 to 8 waves a second" in said
    assert find_reply(Asked("what_are_bands", {"band": "theta"}), make_facts()).choices == ()
    assert sentences("what_is_emotion", emotion="amusement") == ["Amusement here means finding something funny."]


def test_what_a_high_rhythm_or_emotion_means_begins_with_whether_it_was_high() -> None:
    named = {"band": "alpha", "region": "frontal"}
    assert keys("meaning", **named) == keys("normal", **named) == ["band.frontal.alpha", "meaning.alpha"]
    assert keys("normal", emotion="fear") == ["probability.fear"]
    assert keys("normal") == []


def test_a_better_recording_begins_with_what_was_bad() -> None:
    assert keys("better") == ["better", "bad_channels", "mains"]
    assert keys("better", make_facts(bad_channels=(), mains=None)) == ["better"]


def test_the_comparison_of_a_rhythm_states_the_rhythm() -> None:
    assert keys("compared_with", band="alpha", region="temporal") == ["compared_with", "band.temporal.alpha"]


def test_a_diagnosis_is_met_by_the_purpose() -> None:
    assert keys("diagnosis") == ["purpose"]


# Slots


def test_a_rank_is_that_of_the_question() -> None:
    assert sentences("rank", rank="1") == ["Number 1 of nine emotions is joy, with 34.0 % (11.1 % by guessing)."]
    assert sentences("rank", rank="2") == [
        "Number 2 of nine emotions is inspiration, with 11.0 % (11.1 % by guessing)."
    ]
    last = ["Number 9 of nine emotions is anger, with 5.0 % (11.1 % by guessing)."]
    assert sentences("rank", rank="9") == sentences("least") == last
    assert keys("rank") == keys("rank", rank="10") == ["order"]


def test_the_more_likely_of_two_emotions_is_stated() -> None:
    for first, second in (("joy", "fear"), ("fear", "joy")):
        compared, *shares = sentences("compare", emotion=first, emotion2=second)
        assert compared == "By these probabilities joy is more likely than fear."
        assert shares == [*sentences("probability", emotion=first), *sentences("probability", emotion=second)]
    for i, first in enumerate(EMOTIONS):
        for j, second in enumerate(EMOTIONS):
            if CLEAR[i] > CLEAR[j]:
                said = find_reply(Asked("compare", {"emotion": second, "emotion2": first}), make_facts()).facts[0]
                assert said.value == first
                assert said.sentence == f"By these probabilities {first} is more likely than {second}."


def test_emotions_that_are_shown_as_equal_are_called_equal() -> None:
    nearly = (0.05, 0.06, 0.07, 0.08, 0.09, 0.10, 0.11, 0.33990, 0.1001)
    equal = "By these probabilities {} and {} are equally likely."
    said, *_ = sentences("compare", make_facts(nearly), emotion="amusement", emotion2="tenderness")
    assert said in (equal.format("amusement", "tenderness"), equal.format("tenderness", "amusement"))
    said, *_ = sentences("compare", make_facts(EQUAL), emotion="joy", emotion2="fear")
    assert said in (equal.format("joy", "fear"), equal.format("fear", "joy"))


def test_a_comparison_in_chinese() -> None:
    said, *_ = find_reply(Asked("compare", {"emotion": "fear", "emotion2": "joy"}), make_facts()).facts
    assert Translator("zh")(said.sentence) == "按这些概率，喜悦比恐惧更有可能。"


def test_a_comparison_without_two_emotions_or_numbers_compares_nothing() -> None:
    assert keys("compare", emotion="joy") == keys("probability", emotion="joy") == ["probability.joy"]
    assert keys("compare", emotion="joy", emotion2="joy") == ["probability.joy"]
    assert keys("compare") == keys("probability") == keys("probability", emotion="envy") == ["order"]
    corrected = Facts([*make_facts().values(), fact("probability.joy", "30 %, as I see it")])
    assert keys("compare", corrected, emotion="joy", emotion2="fear") == ["probability.joy", "probability.fear"]


def test_a_band_is_described_where_it_was_asked_for_or_everywhere() -> None:
    assert keys("band", band="alpha", region="occipital") == ["band.occipital.alpha"]
    assert keys("band") == keys("band", region="frontal") == ["rhythm"]
    two = {"band": "alpha", "band2": "beta", "region": "frontal"}
    assert keys("band", **two) == ["band.frontal.alpha", "band.frontal.beta"]
    assert keys("band", **two, region2="parietal") == ["band.frontal.alpha", "band.parietal.beta"]
    both = ["band.frontal.alpha", "band.parietal.alpha"]
    assert keys("band", band="alpha", region="frontal", region2="parietal") == both
    everywhere, compared_with = sentences("band", band="alpha")
    assert everywhere == (
        "Alpha, in standard deviations from what it is compared with: about as usual at the front of the head (+0.2), "
        "lower at the temples (-1.4), about as usual at the upper back of the head (+0.0), much higher at the back of "
        "the head (+2.5)."
    )
    assert compared_with == "About compared_with."
    assert keys("band", band="beta") == ["rhythm"]  # which says why nothing was compared


def test_one_electrode_is_told_by_itself() -> None:
    assert keys("bad_channels") == ["bad_channels", "bad.T7", "bad.P4"]
    assert keys("bad_channels", electrode="P4") == ["bad.P4"]
    assert keys("bad_channels", electrode="Cz") == ["bad_channels", "bad.T7", "bad.P4"]


def test_where_no_emotion_is_named_the_answer_says_why() -> None:
    assert keys("emotion") == ["emotion", "reliability"]
    unnamed = Facts([*make_facts().values(), fact("emotion", "none")])
    assert keys("emotion", unnamed) == ["why"]


def test_a_state_comes_with_how_often_it_is_right_if_it_is_told() -> None:
    assert keys("eyes") == ["state.eyes", "state.eyes.reliability"]
    assert keys("effort") == ["state.effort"]
    assert keys("reliability") == ["reliability", "state.eyes.reliability", "state.sleep.reliability"]


def test_a_sentence_is_said_once() -> None:
    assert len(sentences("compare", make_facts(EQUAL), emotion="joy", emotion2="fear")) == 3
    same = Facts([*make_facts().values(), *(Fact(f"bad.{name}", (), "", N_("Both are bad.")) for name in ("T7", "P4"))])
    assert sentences("bad_channels", same) == ["About bad_channels.", "Both are bad."]


# Buttons


def test_every_question_has_a_button_of_its_own_in_both_languages() -> None:
    intents = list(read_topics())
    for language in LANGUAGES:
        questions = nearest_questions(intents, Translator(language))
        assert len(set(questions)) == len(intents)
        assert max(map(len, questions)) <= 60
    assert nearest_questions(["why", "sad"], Translator("zh")) == ["为什么得出这个结果？", "我很难过，怎么办？"]


@pytest.mark.parametrize("intent", [*FROM_FACTS, *FROM_TEXTS, "outside"])
def test_three_other_questions_are_suggested(intent: str) -> None:
    for facts in (make_facts(), make_facts(EQUAL, bad_channels=(), rhythm=None, mains=None, removed=0, notes=())):
        suggested = suggest_questions(Asked(intent), facts)
        assert len(set(suggested)) == 3
        assert intent not in suggested
        assert set(suggested) <= read_topics().keys()


def test_nothing_is_suggested_that_this_reading_has_nothing_to_tell_about() -> None:
    assert suggest_questions(Asked("emotion"), make_facts()) == ("why", "confidence", "rhythm")
    assert "rhythm" not in suggest_questions(Asked("emotion"), make_facts(rhythm=None))
    assert "bad_channels" in suggest_questions(Asked("quality"), make_facts())
    assert "bad_channels" not in suggest_questions(Asked("quality"), make_facts(bad_channels=()))
    assert "effort" not in suggest_questions(Asked("states"), make_facts())


# The reviewed texts


def by_language(language: str) -> list[tuple[str, str]]:
    return [(intent, text[language]) for intent, text in TEXTS]


def failing(pattern: str, language: str, besides: Sequence[str] = ()) -> list[tuple[str, str]]:
    found = [(intent, text) for intent, text in by_language(language) if re.search(pattern, text, re.I)]
    return [(intent, text) for intent, text in found if intent not in besides]


def without(pattern: str, language: str, intents: Sequence[str]) -> list[tuple[str, str]]:
    return [(i, text) for i, text in by_language(language) if i in intents and not re.search(pattern, text, re.I)]


def test_every_text_is_in_both_languages_short_and_told_once() -> None:
    assert [text for _, text in TEXTS if set(text) != set(LANGUAGES)] == []
    for language in LANGUAGES:
        texts = [text for _, text in by_language(language)]
        assert [text for text in texts if not 4 < len(text) <= 320 or text != text.strip()] == []
        assert [
            text for text in texts if not 1 <= len(re.findall(r"[.!?。！？]+(?:\s|$|(?<=[。！？]))", text)) <= 3
        ] == []
        assert len(set(texts)) == len(texts)


def test_no_text_states_a_result() -> None:
    names = {"en": "|".join(EMOTIONS)}
    names["zh"] = "|".join(read_catalogue("zh")["emotion", name] for name in EMOTIONS)
    for language in LANGUAGES:
        assert failing(r"[\d\uff10-\uff19]\s*[%\uff05]", language) == []
        assert failing(rf"(?<!\w)(?:{names[language]})(?![a-z])", language, ["nine_emotions", "angry"]) == []
        told = r"\bleaning\b|single out|emotion stands|confidence is|no emotion|置信|没有突出|倾向于|有倾向|突出程度"
        assert failing(f"{told}|把握不大|看不出是哪种情绪", language) == []


def test_chinese_texts_are_chinese() -> None:
    texts = [text for _, text in by_language("zh")] + [topic.question["zh"] for topic in read_topics().values()]
    assert {word for text in texts for word in re.findall("[A-Za-z]{2,}", text)} <= LATIN
    assert [
        text for text in texts if re.search(r"[\u4e00-\u9fff][,;:?!.()]|[,;:?!.(][\u4e00-\u9fff]|你|\.$", text)
    ] == []
    assert [text for text in texts if re.search("[個們這說話時間對應該為會麼請經來過還腦電頭醫藥]", text)] == []
    assert [text for _, text in by_language("en") if re.search("[\u4e00-\u9fff，。]", text)] == []


def test_nothing_advises_to_change_a_medicine() -> None:
    medicine = r"medicin|medicat|prescri|pharmacist|药"
    changes = {"en": r"\b(?:stop|start|change|reduce|increase|skip|replace)\b", "zh": "停药|开始用药|更改|减药|换药"}
    negated = {"en": r"\b(?:never|do not)\b", "zh": "不要|请勿"}
    for language in LANGUAGES:
        texts = [text for _, text in by_language(language) if re.search(medicine, text, re.I)]
        clauses = [clause for text in texts for clause in re.split("[.;:。；：]", text)]
        assert any(re.search(changes[language], clause) for clause in clauses)
        # A clause about alcohol and an EEG may say that one changes the other.
        advice = [one for one in clauses if re.search(changes[language], one, re.I) and "alcohol" not in one.lower()]
        assert [one for one in advice if not re.search(negated[language], one, re.I)] == []
        assert failing(r"\b(?:dose|dosage|milligrams?|mg|take a pill)\b|剂量|毫克", language) == []
    assert without("doctor.*pharmacist", "en", ["medication"]) == without("医生.*药师", "zh", ["medication"]) == []


def test_no_text_promises_or_diagnoses() -> None:
    assert failing(r"\b(?:guarantee|will (?:help|cure|heal|feel better|get better)|cures?|heals?)\b", "en") == []
    assert failing(r"\byou (?:have|suffer from|are suffering from) (?:depression|anxiety|adhd|epilepsy)", "en") == []
    assert failing("一定会|保证|治愈|您患有|您得了", "zh") == []


def test_what_may_last_is_sent_to_professionals() -> None:
    troubled = ["sad", "angry", "afraid", "lonely", "therapy", "medication", "doctor", "illness"]
    assert without(r"doctor|therapist|professional", "en", troubled) == []
    assert without("医生|就医|心理治疗师", "zh", troubled) == []
    assert without(r"two weeks|\bweeks\b", "en", ["sad", "angry", "afraid", "lonely"]) == []
    assert without("周", "zh", ["sad", "angry", "afraid", "lonely"]) == []
    assert without(r"\beeg\b", "en", ["sad", "angry", "afraid", "lonely"]) == []  # their own words count for more


def test_what_changes_an_eeg_is_to_be_noted() -> None:
    assert without(r"\bnote\b", "en", ["caffeine", "alcohol_drugs", "tired"]) == []
    assert without("注明", "zh", ["caffeine", "alcohol_drugs", "tired"]) == []


def test_the_law_is_named_exactly() -> None:
    assert without(r"work.*education.*5\(1\)\(f\).*50\(3\)", "en", ["law"]) == []
    assert without("第 5 条第 1 款第 f 项.*第 50 条第 3 款", "zh", ["law"]) == []


def test_the_study_is_described_exactly() -> None:
    assert without("123 people.*28 film clips.*nine emotions", "en", ["faced_films"]) == []
    assert without("123 人.*28 个影片片段.*九种情绪", "zh", ["faced_films"]) == []
    assert (
        without("arXiv 2410.00166", "en", ["who_made_you"]) == without("arXiv 2410.00166", "zh", ["who_made_you"]) == []
    )
