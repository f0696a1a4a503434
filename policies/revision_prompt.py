"""How a policy is asked to revise a solution: it reads the first wrong step and the verifier's analysis of it.

Source: `policy_refine.py` of RyanLiu112/GenPRM at cc80f47.
"""

PROMPT = (
    "There might be some problem in this paragraph of your reasoning, please rethink and refine your answer:\n"
    ">{step}\n\n{critique}"
)
