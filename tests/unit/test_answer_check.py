"""Nothing false about a reading is shown, whatever a language model answers."""

import json
import random
import re
import time
from pathlib import Path

import pytest

from copilot.answer_check import check_answer, check_sentence, format_facts, split_sentences
from copilot.emotions import EMOTIONS, sum_three_classes
from copilot.facts import Fact, Facts
from copilot.i18n import N_, Translator
from copilot.i18n.terms import term

SENTENCES = Path(__file__).parents[1] / "data" / "answers_checked.jsonl"
SHARES = {"anger": 0.40, "fear": 0.30, "disgust": 0.08, "sadness": 0.07, "neutral": 0.05}
SHARES |= {"joy": 0.04, "inspiration": 0.03, "amusement": 0.02, "tenderness": 0.01}
FLAT = {"anger": 0.13, "fear": 0.12, "disgust": 0.11, "sadness": 0.11, "neutral": 0.11}
FLAT |= {"joy": 0.11, "inspiration": 0.11, "amusement": 0.1, "tenderness": 0.1}
ENGLISH, CHINESE = Translator("en"), Translator("zh")


def make_facts(shares=SHARES, emotion="anger", confidence="leaning", **values):
    """Facts as ``collect_facts`` makes them; ``values`` replaces some."""
    ranked = sorted(shares, key=lambda name: -shares[name])
    percents = {name: f"{100 * share:.1f} %" for name, share in shares.items()}
    facts = [("emotion", emotion, "", N_("No emotion is named: this EEG does not tell which one it was."))]
    if emotion != "none":
        said = N_(
            "The most probable of nine emotions is {emotion}: {percent}, where guessing has {chance}.",
            emotion=term("emotion", emotion),
            percent=percents[emotion],
            chance="11.1 %",
        )
        facts = [("emotion", emotion, "", said)]
    for name in EMOTIONS:
        said = N_("{emotion} has {percent}, where guessing has {chance}.", percent=percents[name], chance="11.1 %", emotion=term("emotion", name))
        facts.append((f"probability.{name}", shares[name], "share", said))
    for number, name in enumerate(ranked, start=1):
        said = N_("Number {number} of nine is {emotion}: {percent}.", number=number, emotion=term("emotion", name), percent=percents[name])
        facts.append((f"rank.{number}", name, "", said))
    negative, neutral, positive = sum_three_classes([shares[name] for name in EMOTIONS])
    facts += [
        ("order", tuple(ranked), "", N_("From the most to the least likely: " + ", ".join(f"{n} with {percents[n]}" for n in ranked) + ".")),
        ("confidence", confidence, "", N_(f"The confidence is {confidence}: anger has 40.0 %, 3.6 times what guessing has, and the next, fear, has 30.0 %.")),
        ("reliability", None, "", N_("Measured on 20 people: such a result is right 31 times in 100, guessing 11.")),
        ("situation", "faced-films", "", N_("This result is calibrated for film clips of the FACED study.")),
        ("three_class", "negative", "", N_(f"Negative has {100 * negative:.0f} %, neutral {100 * neutral:.0f} %, positive {100 * positive:.0f} %.")),
        ("valence", round(positive - negative, 2), "", N_(f"The valence is {positive - negative:+.2f} on a scale from -1 (negative) to +1 (positive).")),
        ("state.sleep", "awake", "", N_("Awake for most of the recording.")),
        ("state.eyes", "open", "", N_("Eyes open: there is little alpha rhythm over the back of the head.")),
        ("state.effort", None, "", N_("Mental effort: not told, because it needs another recording of the same person at rest.")),
        ("states", ("sleep: awake", "eyes: open"), "", N_("The EEG tells: awake, eyes open. It does not tell: mental effort.")),
        ("quality", "fair", "", N_("The quality is fair: read the result with care.")),
        ("usable_seconds", 52, "s", N_("52 of 60 s are usable (86.7 %).")),
        ("bad_channels", ("T7", "Fp1"), "", N_("2 of 30 electrodes were bad: T7, Fp1.")),
        ("bad.T7", ("flat",), "", N_("T7 was a bad electrode: it gave no signal (flat); it was left out.")),
        ("bad.Fp1", ("noisy",), "", N_("Fp1 was a bad electrode: it was noisy; it was left out.")),
        ("mains", 50.0, "Hz", N_("Mains hum at 50 Hz was found, 3.1 times its neighbourhood, and removed.")),
        ("removed", 2, "", N_("Cleaning removed components: 2 of eye movement.")),
        ("length", 60.0, "s", N_("The recording is 60 s long.")),
        ("rate", 250.0, "Hz", N_("After cleaning the recording has 250 samples a second (Hz).")),
        ("channels", ("Fp1", "Fp2", "Fz", "Cz", "Pz", "O1", "O2", "T7", "T8"), "", N_("The cleaned recording has 9 electrodes.")),
        ("channels.absent", ("Oz",), "", N_("1 of the 30 electrodes that the models know is not in this recording: Oz.")),
        ("band.frontal.theta", 1.4, "z", N_("Theta (4-8 Hz) at the front of the head was higher, compared with other people (+1.4 standard deviations).")),
        ("band.occipital.alpha", -1.2, "z", N_("Alpha (8-14 Hz) at the back of the head was lower, compared with other people (-1.2 standard deviations).")),
        ("band.central.beta", 0.1, "z", N_("Beta (14-30 Hz) at the top of the head was about as usual, compared with other people (+0.1 standard deviations).")),
        ("rhythm", "frontal.theta", "", N_("Theta (4-8 Hz) at the front of the head stood out most: higher, compared with other people (+1.4 standard deviations).")),
        ("where", "frontal.theta", "", N_("An emotion is not read from single electrodes or regions, but from all electrodes and bands together.")),
        ("compared_with", "population", "", N_("No other recording of this person was given, so the rhythms are compared with those of other people, who watched films (FACED study).")),
        ("meaning", None, "", N_("Of nine emotions anger fits the measured EEG best; this does not show what the person feels, and their own words count for more.")),
        ("person", ("age",), "", N_("This was typed about the person: age (34 years).")),
        ("model", "small.gguf", "", N_("A linear classifier gave the probabilities, not the language model.")),
        ("timing", 12.4, "s", N_("The analysis took 12.4 s; 3.0 s of them went into reading and cleaning.")),
        ("storage", None, "", N_("Records are not kept: download yours if you want to keep it.")),
        ("purpose", None, "", N_("This is a research tool and not a medical device: not for diagnosis or treatment.")),
    ]
    return Facts(Fact(key, values.get(key, value), unit, said) for key, value, unit, said in facts)


FACTS = make_facts()
NONE = make_facts(FLAT, "none", "unclear")


def read_sentences(lie):
    lines = map(json.loads, SENTENCES.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line["lie"] == lie]


def check(text, facts=FACTS, language="en"):
    return check_sentence(text, facts, Translator(language))
