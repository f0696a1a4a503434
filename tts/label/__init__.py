"""Labels the steps of a policy's solutions, from completions of their prefixes or a verifier's scores: `tts label`."""
