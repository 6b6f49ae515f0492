"""What a person asks is found: intents, what they are about, several at once and follow-ups, whatever is typed."""

import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.chat import understanding
from copilot.chat.understanding import Asked, find_nearest, find_slots, understand

DATA = Path(__file__).parents[2] / "data"


def intents(text, before=()):
    return [one.intent for one in understand(text, before)]


def asked(intent, **slots):
    return [Asked(intent, "", 1.0, slots)]


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("Which emotion did you find?", "emotion"),
        ("how sure are you", "confidence"),
        ("was my alpha high", "band"),
        ("I slept badly last night", "sleep_advice"),
        ("was I asleep during the recording?", "sleep"),
        ("my boss wants to use this", "work_school"),
        ("is this a diagnosis", "diagnosis"),
        ("who can see my data", "storage"),
        ("delete my data", "delete"),
        ("我的情绪是什么？", "emotion"),
        ("您有多确定", "confidence"),
        ("我昨晚没睡好", "sleep_advice"),
        ("这是诊断吗", "diagnosis"),
        ("谁能看到我的数据", "storage"),
        ("這是什麼情緒", "emotion"),
    ],
)
def test_a_plain_question_is_understood(text, intent):
    assert intents(text) == [intent]


@pytest.mark.parametrize(
    "text",
    [
        "What's the weather tomorrow?",
        "how sure is the weather forecast",
        "what is the best battery electrode",
        "write a poem about the sea",
        "Wie wird das Wetter?",
        "おはようございます",
        "안녕하세요",
        "明天天气怎么样",
        "写一首诗",
        "",
        "   ",
        "?!?",
        "\x00\x1b[0m",
        "<script>alert(1)</script>",
        "asdfghjkl",
    ],
)
def test_what_is_none_of_its_business_is_outside(text):
    assert intents(text) == ["outside"]


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        ("how likely is anger", {"emotion": "anger"}),
        ("am I sad?", {"emotion": "sadness"}),
        ("is joy more likely than fear", {"emotion": "joy", "emotion2": "fear"}),
        ("was it hapiness", {"emotion": "joy"}),
        ("which was the second", {"rank": "2"}),
        ("and the 3rd?", {"rank": "3"}),
        ("alpha in the back of the head", {"band": "alpha", "region": "occipital"}),
        ("is Fp1 bad", {"electrode": "Fp1"}),
        ("o2?", {"electrode": "O2"}),
        ("in Chinese please", {"language": "zh"}),
        ("what is CO2", {}),
        ("愤怒的概率", {"emotion": "anger"}),
        ("喜悦和恐惧哪个高", {"emotion": "joy", "emotion2": "fear"}),
        ("第三名是谁", {"rank": "3"}),
        ("枕叶的阿尔法高吗", {"band": "alpha", "region": "occipital"}),
        ("Cz有问题吗", {"electrode": "Cz"}),
        ("请用英文", {"language": "en"}),
    ],
)
def test_slots_are_what_the_text_names(text, slots):
    assert find_slots(text) == slots


@pytest.mark.parametrize(
    ("text", "before", "intent", "slots"),
    [
        ("and the second?", asked("emotion"), "rank", {"rank": "2"}),
        ("and then?", asked("rank", rank="2"), "rank", {"rank": "3"}),
        ("and joy?", asked("probability", emotion="anger"), "probability", {"emotion": "joy"}),
        ("why?", asked("emotion"), "why", {}),
        ("and theta?", asked("band", band="alpha", region="frontal"), "band", {"band": "theta", "region": "frontal"}),
        ("in Chinese please", asked("quality"), "in_chinese", {"language": "zh"}),
        ("again", asked("why"), "again", {}),
        ("那第二呢", asked("emotion"), "rank", {"rank": "2"}),
        ("那喜悦呢", asked("probability", emotion="anger"), "probability", {"emotion": "joy"}),
        ("详细一点", asked("sleep"), "more", {}),
    ],
)
def test_a_follow_up_takes_what_it_leaves_out_from_the_turn_before(text, before, intent, slots):
    (one,) = understand(text, before)
    assert (one.intent, dict(one.slots)) == (intent, slots)


@pytest.mark.parametrize(
    ("text", "several"),
    [
        ("Which emotion did you find, and how sure are you?", ["emotion", "confidence"]),
        ("was I asleep? was the recording good?", ["sleep", "quality"]),
        ("Should I stop my pills? And who can see my data?", ["medication", "storage"]),
        ("Hello! Which emotion did you find?", ["emotion"]),
        ("是哪种情绪？有多确定？", ["emotion", "confidence"]),
        ("我睡着了吗，记录质量怎么样", ["sleep", "quality"]),
        # a clause is a question of its own, a name in a list is not
        ("Which emotion came second, and how long was the recording?", ["rank", "length"]),
        ("who built you and are you a real person?", ["who_made_you", "are_you_ai"]),
        ("where does my data go, and how do I delete it", ["storage", "delete"]),
        ("did you use Cz, Pz and Oz", ["channels"]),
        ("please delete my recording, my name and everything else", ["delete"]),
        ("did you take out the blinks and the jaw clenching and all that", ["removed"]),
        ("面试的时候能用吗,合不合法", ["work_school", "law"]),
        ("孩子、房贷、加班,压力太大了", ["stress"]),
    ],
)
def test_several_questions_are_told_apart(text, several):
    assert intents(text) == several


@pytest.mark.parametrize("probabilities", [{"length": 0.3, "rate": 0.25}, {"length": 0.3, "outside": 0.25}])
def test_where_two_intents_are_likely_both_are_returned(monkeypatch, probabilities):
    classifier = understanding.load_classifier(False)
    values = np.array([probabilities.get(name, 0.001) for name in classifier.intents])
    monkeypatch.setattr(understanding.Classifier, "predict", lambda *_: values)
    found = understand("how long or how fast")
    if "rate" in probabilities:
        assert [(one.intent, one.sure) for one in found] == [("length", False), ("rate", False)]
    else:
        assert [one.intent for one in found] == ["outside"]


@pytest.mark.parametrize(
    "text",
    ["compare joy and fear", "what is the difference between joy and amusement", "I am tired and exhausted"],
)
def test_one_question_with_and_stays_one(text):
    assert len(understand(text)) == 1


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("how likley is sadnes", "probability"),
        ("wich emotion did you fnid", "emotion"),
        ("how acurate are you", "reliability"),
        ("was my recordng good", "quality"),
        ("delete my dtaa", "delete"),
        ("WHERE IS MY DATA STORED", "storage"),
        ("hey so um which emotion did you find please", "emotion"),
    ],
)
def test_typing_errors_capitals_and_filler_words_change_nothing(text, intent):
    assert intents(text) == [intent]


def test_the_nearest_intents_are_there_for_buttons_even_where_nothing_is_sure():
    assert find_nearest("how sure are you")[0] == "confidence"
    for text in ("", "weather", "天气", "next"):
        nearest = find_nearest(text, 5)
        assert len(set(nearest)) == 5
        assert not {"outside", "next", "again", "more"} & set(nearest)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_no_text_fails(text):
    for one in understand(text, asked("emotion")):
        assert one.intent
        assert 0 <= one.probability <= 1.001


@pytest.mark.parametrize(
    "word", ["x", "emotion ", "how sure are you? and ", "情绪，", "zxqvwkjh ", "\ud800", "<", "a1 "]
)
def test_a_long_text_takes_no_longer_than_its_first_thousand_characters(word):
    understand(word)
    times = []
    for length in (1000, 100_000):
        start = time.process_time()
        understand((word * length)[:length])
        times.append(time.process_time() - start)
    assert times[1] < 0.5


def test_a_question_takes_milliseconds():
    questions = [
        "which emotion did you find",
        "was my alpha high in the back of the head",
        "我的情绪是什么",
        "排第二的是什么",
    ]
    for question in questions:
        understand(question)
    start = time.process_time()
    for _ in range(20):
        for question in questions:
            understand(question)
    assert (time.process_time() - start) / 80 < 0.005


def test_the_file_is_small():
    assert understanding.MODEL.stat().st_size <= 1_000_000


def measure(language):
    """Measure questions of people who had not seen the paraphrases, see ``UNSEEN``."""
    lines = (DATA / f"questions_unseen_{language}.jsonl").read_text(encoding="utf-8").splitlines()
    number, answered, wrong, more = Counter(), Counter(), Counter(), Counter()
    for row in map(json.loads, lines):
        before, wanted = asked(row["before"]) if "before" in row else (), {*row["intents"]}
        kind = "follow-up" if before else "several" if len(wanted) > 1 else "one"
        kind = "outside" if wanted == {"outside"} else "close" if "close" in row else kind
        given_intents = {*intents(row["text"], before)}
        number[kind] += 1
        answered[kind] += wanted <= given_intents
        wrong[kind] += given_intents.isdisjoint({*wanted, "outside"})
        more[kind] += wanted < given_intents
    return {
        kind: (answered[kind] / number[kind], wrong[kind] / number[kind], more[kind] / number[kind]) for kind in number
    }


#: Least share whose answer has all that was asked, most that is answered with something else, and most whose answer has
#: more than was asked; of questions by writers to whose questions nothing was fitted. Most ``close`` ones are long, or
#: easily taken for another intent.
UNSEEN = {
    "en": {
        "one": (0.94, 0.045, 0.04),
        "close": (0.83, 0.13, 0.08),
        "outside": (0.92, 0.08, 0),
        "several": (0.77, 0, 0.02),
        "follow-up": (0.88, 0.04, 0.04),
    },
    "zh": {
        "one": (0.89, 0.05, 0.07),
        "close": (0.87, 0.1, 0.07),
        "outside": (0.96, 0.04, 0),
        "several": (0.88, 0.01, 0.06),
        "follow-up": (0.9, 0.08, 0.06),
    },
}


@pytest.mark.parametrize("language", UNSEEN)
def test_questions_of_writers_who_had_no_part_in_the_fit_are_understood(language):
    for kind, (answered, wrong, more) in measure(language).items():
        least, most_wrong, most_more = UNSEEN[language][kind]
        assert answered >= least, (kind, answered)
        assert wrong <= most_wrong, (kind, wrong)
        assert more <= most_more, (kind, more)
