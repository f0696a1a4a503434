"""Final answers: finding them in a solution's text, reading them, and saying which are the same."""

from tts.tasks.answers.extraction import answer_of, extract_answer
from tts.tasks.answers.reading import Answer, normalize, read

__all__ = ["Answer", "answer_of", "extract_answer", "normalize", "read"]
