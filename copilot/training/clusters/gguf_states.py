"""The hidden states of a GGUF file's model, by llama.cpp: what its last layer hands to the output."""

from collections.abc import Sequence

import llama_cpp as C
import numpy as np
import numpy.typing as npt

from copilot.llm.llama_cpp import BATCH, NativeModel


class HiddenStates(NativeModel):
    """A loaded model that gives hidden states; what it loads and refuses is ``NativeModel``'s."""

    def mean(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        """Mean over all tokens of the last hidden states, behind the last norm, shape (width,).

        llama.cpp's own mean pooling wants a text in one batch; read in parts, a long one takes no more memory.

        Raises:
            RuntimeError: llama.cpp failed, or the file pools by itself and has no state for each token.
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
