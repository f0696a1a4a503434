"""How many replicas of the policy's and of the verifier's server a run needs, by simulation: `tts plan`."""
