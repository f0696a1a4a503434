"""The read-out and the strings of GenPRM's wire format."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.engines.generating import Sampling, Token
from tts.engines.logprobs import as_sampled
from tts.sandbox.base import Execution
from verifiers.generative import genprm_format as wire

PUBLISHED = Sampling(temperature=0.6, top_k=20, top_p=0.95)


def verdict_tokens(p_yes: float, chosen: str) -> tuple[Token, ...]:
    """The tokens of `{Yes}$\\n</output>\\n` with probability `p_yes` of Yes."""
    top = {"Yes": math.log(p_yes), "No": math.log(1 - p_yes)}
    plain = [Token(text, 0.0, {text: 0.0}, {text: 0.0}) for text in ("{", "}$\n", "</output>\n")]
    return (plain[0], Token(chosen, top[chosen], top, as_sampled(top, chosen, PUBLISHED)), *plain[1:])


def judgement(word: str, analysis: str = "") -> tuple[str, int]:
    before = f"{analysis}{wire.OUTPUT_START}"
    return before + "{" + word + "}$\n</output>\n", len(before)


@given(st.floats(0.001, 0.999))
def test_soft_is_the_probability_of_yes_whatever_was_sampled(p_yes: float) -> None:
    for word in ("Yes", "No"):
        text, start = judgement(word)
        assert wire.read_verdict(text, start, verdict_tokens(p_yes, word), "soft") == pytest.approx(p_yes)


@given(st.floats(0.001, 0.999))
def test_as_sampled_saturates_exactly_where_the_nucleus_drops_a_word(p_yes: float) -> None:
    scaled = 1 / (1 + math.exp(-(math.log(p_yes) - math.log(1 - p_yes)) / 0.6))
    likelier = "Yes" if p_yes >= 0.5 else "No"
    text, start = judgement(likelier)
    score = wire.read_verdict(text, start, verdict_tokens(p_yes, likelier), "as_sampled")
    if max(scaled, 1 - scaled) >= 0.95 + 1e-9:
        assert score == float(likelier == "Yes")
    elif max(scaled, 1 - scaled) < 0.95 - 1e-9:
        assert score == pytest.approx(scaled)


@pytest.mark.parametrize("readout", ["soft", "as_sampled", "hard"])
@pytest.mark.parametrize(("word", "score"), [("Yes", 1.0), ("No", 0.0), ("yes", 1.0)])
def test_the_word_decides_without_probabilities(readout: wire.Readout, word: str, score: float) -> None:
    text, start = judgement(word)
    assert wire.read_verdict(text, start, None, readout) == score


@pytest.mark.parametrize("readout", ["soft", "as_sampled", "hard"])
def test_a_verdict_in_the_analysis_is_not_the_verdict(readout: wire.Readout) -> None:
    # The official read-out takes the first match and says No here.
    analysis = "The paragraph says \\boxed{No}, but No} is wrong.\n</analyze>\n"
    text, start = judgement("Yes", analysis)
    assert wire.read_verdict(text, start, verdict_tokens(0.9, "Yes"), readout) > 0.5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no box at all",
        "The answer is \\boxed{42}.",
        wire.OUTPUT_START,
        wire.OUTPUT_START + "{Maybe}$\n</output>\n",
        # A verdict in the analysis does not stand in for one that the output part lacks.
        "I say \\boxed{Yes}.\n</analyze>\n" + wire.OUTPUT_START + " nothing",
    ],
)
def test_no_verdict_is_none(text: str) -> None:
    assert wire.read_verdict(text, 0, None, "hard") is None


def test_the_last_box_of_the_output_counts() -> None:
    text = "<output>\n\\boxed{Yes} no: \\boxed{No}\n</output>\n"
    assert wire.read_verdict(text, 0, None, "hard") == 0.0


def test_a_word_that_is_not_reported_is_bounded_by_the_least_likely_reported_one() -> None:
    top = {"Yes": math.log(0.9), "yes": math.log(0.06), "Y": math.log(0.02)}
    tokens = (Token("{", 0.0, {"{": 0.0}, {"{": 0.0}), Token("Yes", top["Yes"], top, top))
    text, start = judgement("Yes")
    assert wire.read_verdict(text, start, tokens, "soft") == pytest.approx(0.9 / 0.92)


@pytest.mark.parametrize(("word", "score"), [("Yes", 1.0), ("No", 0.0)])
def test_a_verdict_that_is_the_only_reported_token_is_certain(word: str, score: float) -> None:
    tokens = (Token("{", 0.0, {"{": 0.0}, {"{": 0.0}), Token(word, 0.0, {word: 0.0}, {word: 0.0}))
    text, start = judgement(word)
    for readout in ("soft", "as_sampled"):
        assert wire.read_verdict(text, start, tokens, readout) == score


@given(st.sampled_from(["{Yes", "Yes}$", "{Yes}$\n", "Yes"]), st.floats(0.01, 0.99))
def test_tokens_that_hold_more_than_the_word_are_read_the_same(text_of_token: str, p_yes: float) -> None:
    top = {text_of_token: math.log(p_yes), text_of_token.replace("Yes", "No"): math.log(1 - p_yes)}
    head, tail = "{Yes}$\n</output>\n".split(text_of_token, 1)
    pieces = [head, text_of_token, tail]
    tokens = tuple(
        Token(piece, 0.0, top if piece == text_of_token else {piece: 0.0}, top if piece == text_of_token else {})
        for piece in pieces
        if piece
    )
    text, start = judgement("Yes")
    assert wire.read_verdict(text, start, tokens, "soft") == pytest.approx(p_yes)


@pytest.mark.parametrize(
    ("execution", "result"),
    [
        (None, "Code format error: No code found."),
        (Execution(stdout="\n 5050 \n"), "5050"),
        (Execution(stdout="", timed_out=True, exit_status=-9), "Code execute time out: Code execution timed out"),
        (
            Execution(
                stdout="lost",
                error_type="SyntaxError",
                error_message="unterminated string literal (detected at line 1) (<string>, line 1)",
            ),
            "Code execute Error: SyntaxError: unterminated string literal (detected at line 1) (<string>, line 1)",
        ),
        (Execution(stdout="lost", error_type="ZeroDivisionError", error_message="division by zero"),
         "Code execute Error: ZeroDivisionError: division by zero"),
    ],
)  # fmt: skip
def test_execution_results_are_the_strings_of_training(execution: Execution | None, result: str) -> None:
    assert wire.execution_result(execution) == result


def test_the_last_closed_python_block_is_run() -> None:
    text = "```python\na\n```\n prose ```\nnot python\n```\n```python\n  b = 1\n  c\n\n```\n```python\nopen"
    assert wire.last_code(text) == "b = 1\n  c"
    assert wire.last_code("```\nx\n```") is None


@given(st.text(), st.text())
def test_first_turns_hold_problem_and_step_whatever_they_contain(problem: str, step: str) -> None:
    assert wire.first_turn("question", problem, step) == "Question: " + problem + "\n\n" + step
    assert wire.first_turn("plain", problem, step) == problem + "\n" + step


@pytest.mark.parametrize("blank", [" ", "\n", " \n"])
def test_a_long_run_of_blanks_is_read_in_no_more_than_its_length(blank: str) -> None:
    """What grows with the square or the cube of it takes hours for this one."""
    run = blank * (200_000 // len(blank))
    assert wire.last_code(f"```python{run}") is None
    assert wire.last_code(f"```python{run}x{run}y{run}```") == f"x{run}y"
    assert wire.read_verdict(f"<output>\\boxed{{{run}", 0, None, "hard") is None
    assert wire.read_verdict(f"<output>\\boxed{{{run}\\text{{{run}No", 0, None, "hard") == 0.0
