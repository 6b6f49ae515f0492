"""Compute the last layer's hidden states of a GGUF file's model with llama.cpp."""

from collections.abc import Sequence

import llama_cpp as C
import numpy as np
import numpy.typing as npt

from copilot.llm.llama_cpp import BATCH, NativeModel


class HiddenStates(NativeModel):
    """A loaded model that gives hidden states; it loads and refuses the same files as ``NativeModel``."""

    def mean(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        """Return the mean over all tokens of the last hidden states, behind the last norm, shape (width,).

        llama.cpp's own mean pooling needs a text in one batch; here a long text is read in parts and takes no more
        memory.

        Raises:
            RuntimeError: llama.cpp failed, or the model pools by itself and has no state for each token.
        """
        C.llama_set_embeddings(self._context, True)
        self.keep(0)
        total = np.zeros(C.llama_model_n_embd(self._model))
        for start in range(0, len(tokens), BATCH):
            part = tokens[start : start + BATCH]
            self.read(part)
            states = C.llama_get_embeddings(self._context)
            if not states:
                raise RuntimeError("llama.cpp gives no hidden states of this model")
            total += np.ctypeslib.as_array(states, shape=(len(part), len(total))).sum(axis=0)
        return (total / len(tokens)).astype(np.float32)
