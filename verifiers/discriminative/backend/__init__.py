"""An engine that reads: a checkpoint's backbone and head, in this process, batched."""

from verifiers.discriminative.backend.engine import TransformersReader

__all__ = ["TransformersReader"]
