"""Weights from and to other libraries: `torch.nn`, and Hugging Face's Marian, GPT-2 and BERT.

A converted module computes what the original computes. Weights are copied, never shared.
"""

from blockbyblock.interop.bert import from_bert, to_bert
from blockbyblock.interop.gpt2 import from_gpt2, to_gpt2
from blockbyblock.interop.marian import from_marian, to_marian
from blockbyblock.interop.torch_nn import from_torch, to_torch

__all__ = ["from_bert", "from_gpt2", "from_marian", "from_torch", "to_bert", "to_gpt2", "to_marian", "to_torch"]
