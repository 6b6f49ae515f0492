"""State the nine probabilities, how sure and how reliable they are, and why an emotion is named or none."""

from collections.abc import Iterator, Sequence

from copilot import assessment, emotions
from copilot.eeg.emotion_classifier import MIN_SECONDS, EmotionClassifier, summarise_seconds
from copilot.eeg.features import Array
from copilot.facts.types import Fact, join_sentences
from copilot.i18n import N_, Message, messages
from copilot.i18n.terms import term
from copilot.result import Result
from copilot.text import percent

ALL_EQUAL = N_("Each of the nine emotions has 11.1 %, the same as by guessing: there is no order among them.")

#: What is meant by each emotion.
MEANS = {
    "anger": N_("Anger here means being upset about something that seems wrong or unfair."),
    "disgust": N_("Disgust here means a strong dislike of something repulsive."),
    "fear": N_("Fear here means feeling threatened by something dangerous."),
    "sadness": N_("Sadness here means being unhappy about a loss or misfortune."),
    "neutral": N_("Neutral here means no particular feeling."),
    "amusement": N_("Amusement here means finding something funny."),
    "inspiration": N_("Inspiration here means being lifted up and encouraged, as by a great deed."),
    "joy": N_("Joy here means being happy about something good."),
    "tenderness": N_("Tenderness here means a warm, caring feeling, as towards a child."),
}

#: Why no emotion is named, and what would help: the assessment's sentences, or others that stand by themselves.
REASONS: dict[str, tuple[Message, Message]] = assessment.REASONS | {
    "short": (
        N_(
            "No emotion is named: this or another recording of the person has less than {least} usable seconds.",
            least=MIN_SECONDS,
        ),
        N_("Record two or three minutes each time; {least} usable seconds are the least.", least=MIN_SECONDS),
    ),
    "unlike": (
        N_(
            "No emotion is named: this recording differs from the others of the person more than any that the "
            "classifier was fitted on."
        ),
        N_("Make all recordings of a person with the same device and the same electrodes."),
    ),
    "unmeasured": (
        N_("No emotion is named: with so few other recordings of a person it is no better than guessing, as measured."),
        assessment.RECORD_MORE,
    ),
    "compared": (
        N_(
            "No emotion is named: compared with other recordings of the person, none is at least twice as likely as by "
            "guessing (22.2 %)."
        ),
        assessment.RECORD_MORE,
    ),
    "unlikely": (
        N_("No emotion is named: none is at least twice as likely as by guessing (22.2 %)."),
        assessment.RECORD_REST,
    ),
}


def find_reason(result: Result, entropies: Sequence[Array], emotion_classifier: EmotionClassifier) -> str:
    """Return why no emotion is named, a key of ``REASONS``; empty where one is named.

    Of a film clip the most probable is named, unless the recording is poor or the person slept.

    Args:
        result: the complete result.
        entropies: of the recording and others of the person, as in ``copilot.facts.collect_facts``.
        emotion_classifier: as in ``copilot.facts.collect_facts``.
    """
    others = len(entropies) - 1
    if result.trust == "poor":
        return "poor"
    if result.asleep:
        return "asleep"
    if result.situation != "any" or result.confidence != "unclear":
        return ""
    if result.readout != "decoder":
        return "unlikely"
    if not others:
        return "alone"
    if any(summarise_seconds(entropy) is None for entropy in entropies):
        return "short"
    if not emotion_classifier.is_better_than_guessing(others):
        return "unmeasured"
    return "unlike" if emotions.is_uniform(result.probabilities) else "compared"


def list_emotion_facts(result: Result, reason: str) -> Iterator[Fact]:
    """Yield the facts about the probabilities; ``reason`` is from ``find_reason``."""
    ranked = emotions.sort_by_probability(result.probabilities)
    uniform = emotions.is_uniform(result.probabilities)
    (first, largest), (second, next_largest) = ranked[:2]

    # 1. The emotion, each probability, and their order
    said = N_("No emotion is named for this recording.")
    if not reason:
        said = N_(
            "The most probable of nine emotions is {emotion}, with {percent} (11.1 % by guessing).",
            emotion=term("emotion", first),
            percent=percent(largest),
        )
        if result.confidence == "unclear":
            said = join_sentences((said, N_("It does not stand out from the others.")))
    yield Fact("emotion", "none" if reason else first, "", said)
    for name, share in zip(emotions.EMOTIONS, result.probabilities, strict=True):
        template = N_("The probability of {emotion} is {percent} (11.1 % by guessing).")
        if uniform:
            template = N_("The probability of {emotion} is {percent}, the same as of all nine and as by guessing.")
        elif reason:
            template = N_("The probability of {emotion} is {percent} (11.1 % by guessing); no emotion is named.")
        said = N_(template, emotion=term("emotion", name), percent=percent(share))
        yield Fact(f"probability.{name}", float(share), "share", said)
    for rank, (name, share) in enumerate(ranked, start=1):
        shown = {"rank": rank, "emotion": term("emotion", name), "percent": percent(share)}
        template = N_("Number {rank} of nine emotions is {emotion}, with {percent} (11.1 % by guessing).")
        if reason:
            template = N_(
                "Number {rank} of nine emotions is {emotion}, with {percent} (11.1 % by guessing); no emotion is named."
            )
        said = ALL_EQUAL if uniform else N_(template, **shown)
        yield Fact(f"rank.{rank}", None if uniform else name, "", said)
    listed = tuple(
        N_("{emotion} with {percent}", emotion=term("emotion", name), percent=percent(share)) for name, share in ranked
    )
    template = N_("From the most to the least likely: {listed}; by guessing each has 11.1 %.")
    if reason:
        template = N_(
            "From the most to the least likely: {listed}; by guessing each has 11.1 %. No emotion is named, so this "
            "order means little."
        )
    said = ALL_EQUAL if uniform else N_(template, listed=listed)
    yield Fact("order", None if uniform else tuple(name for name, _ in ranked), "", said)

    # 2. How sure and how reliable
    said = N_("Confidence: unclear, because no emotion is named.")
    if not reason:
        said = N_(
            "Confidence: {confidence}. {emotion} has {percent}, {times:.1f} times as much as by guessing; the next is "
            "{next}, with {next_percent}. This says how far it is ahead, not how often it is right.",
            confidence=term("confidence", result.confidence),
            emotion=term("emotion", first),
            percent=percent(largest),
            times=largest * len(emotions.EMOTIONS),
            next=term("emotion", second),
            next_percent=percent(next_largest),
        )
    yield Fact("confidence", "unclear" if reason else result.confidence, "", said)
    said = N_(
        "Clear means that the first emotion is at least twice as likely as by guessing and 1.5 times as likely as the "
        "next; leaning, that it is at least 1.5 times as likely as by guessing; the rest is unclear."
    )
    if result.situation == "any":
        said = N_(
            "Clear means that the first emotion is at least twice as likely as by guessing and 1.5 times as likely as "
            "the next; leaning, that the next is closer; the rest is unclear, and no emotion is named."
        )
    yield Fact("confidence.meaning", None, "", said)
    yield Fact("situation", result.situation, "", _describe_situation(result))
    yield Fact("reliability", None, "", _describe_reliability(result))

    # 3. Negative, neutral, positive
    shares = zip(emotions.THREE_CLASSES, emotions.sum_three_classes(result.probabilities), strict=True)
    said = N_(
        "The four negative emotions have {negative} together, neutral {neutral}, the four positive ones {positive} (by "
        "guessing 44.4 %, 11.1 % and 44.4 %).",
        **{name: percent(float(share)) for name, share in shares},
    )
    verdict = N_("Neither positive nor negative stands out.")
    if not reason:
        verdict = N_("The most probable of the three is {name}.", name=term("class", result.three_class))
    yield Fact("three_class", "none" if reason else result.three_class, "", join_sentences((verdict, said)))
    valence = round(result.valence, 2) + 0.0  # + 0.0: no "-0.00"
    said = N_("The valence is {valence:+.2f}, on a scale from -1 (negative) to +1 (positive).", valence=valence)
    yield Fact("valence", valence, "", join_sentences((said, ALL_EQUAL)) if uniform else said)
    said = N_(
        "Valence is the probability of the four positive emotions minus that of the four negative ones; at 0 both are "
        "equally likely."
    )
    yield Fact("valence.meaning", None, "", said)


def list_explanations(result: Result, reason: str, *, others: int) -> Iterator[Fact]:
    """Yield what the result was compared with, why it is as it is, what it means and what would make it better.

    Args:
        result: the complete result.
        reason: from ``find_reason``.
        others: how many other recordings of the person there were.
    """
    said = N_("An emotion is not read from single electrodes or places, but from all electrodes and bands together.")
    yield Fact("where", None, "", said)
    said = N_(
        "No other recording of this person was given, so this one can only be compared with other people, who watched "
        "films (FACED study). How strong a rhythm is then depends on the device and the skull too."
    )
    if others == 1:
        said = N_("This recording is compared with one other recording of the same person.")
    elif others:
        said = N_("This recording is compared with {count} other recordings of the same person.", count=others)
    if result.trust == "poor":
        said = N_("Nothing was compared, because the recording is too poor.")
    yield Fact("compared_with", "person" if others else "population", "", said)

    emotion = term("emotion", result.emotion)
    if reason:
        why, better = REASONS[reason]
        meaning = N_(
            "This EEG says nothing about the person's emotion; that does not mean that they felt none. Their own words "
            "count."
        )
    else:
        why = N_("Of nine probabilities that of {emotion} is the largest: {percent} (11.1 % by guessing).")
        if result.situation == "any":
            why = N_(
                "Of nine probabilities that of {emotion} is the largest, {percent}, and at least twice as large as by "
                "guessing (11.1 %)."
            )
        why = N_(why, emotion=emotion, percent=percent(max(result.probabilities)))
        better = assessment.RECORD_MORE if others else assessment.RECORD_REST
        meaning = N_(
            "Of nine emotions {emotion} fits this EEG best. Such readings are often wrong and do not show what the "
            "person feels: their own words count for more."
        )
        if result.situation != "any":
            meaning = N_(
                "This EEG is most like that of people who watched the FACED study's films for {emotion}. This does not "
                "show what the person feels: their own words count for more."
            )
        meaning = N_(meaning, emotion=emotion)
    yield Fact("why", reason or result.emotion, "", why)
    yield Fact("meaning", None, "", meaning)
    yield Fact("better", None, "", better)


def _describe_situation(result: Result) -> Message:
    """Return what the result is calibrated for."""
    if result.situation != "any":
        return N_(
            "This reading is made for film clips of the FACED study, from their first second; any other recording it "
            "reads hardly better than by guessing."
        )
    if result.readout != "decoder":
        return N_("This is a recording of any kind, for which the language model alone was never measured.")
    return N_(
        "This reading is made for recordings of any kind. It was measured on young adults who watched films (FACED "
        "study); other ages, devices, tasks and illnesses are unknown to it."
    )


def _describe_reliability(result: Result) -> Message:
    """Return how often such results are right, never better than was measured."""
    if result.trust == "poor":
        return N_("How often poor recordings are read correctly was not measured; treat this reading as a guess.")
    if result.asleep:
        return N_("How often emotions are read correctly in sleep was not measured; treat this reading as a guess.")
    if emotions.is_uniform(result.probabilities):
        return N_("Here all nine emotions are equally likely; picking one of them would be right in 11 of 100.")
    if result.situation == "any" and result.readout == "decoder":
        return N_(result.reliability)
    return messages.CALIBRATED if result.situation != "any" and result.calibrated else messages.NOT_CALIBRATED
