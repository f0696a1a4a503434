"""The prompts that ask a policy to criticise its own solution and then to rewrite it."""

FEEDBACK = (
    "Check your solution above step by step: there may be an error in it. Do not solve the problem again. "
    "If a step is wrong, say which and why; if all of them are right, say: It is correct."
)
PROMPT = "{critique}\n\nWith this in mind, please rethink and refine your answer."
