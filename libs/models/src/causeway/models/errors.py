"""What can go wrong with a model, each with the mend in its message.

ModelError
├── RegistryInvalid      the registry file says something that cannot be followed
├── ModelMissing         nothing is installed and nothing may be fetched
├── ModelMismatch        bytes are not the bytes that were promised
├── ModelUnfetchable     the source gave nothing usable
├── ModelLocked          another process has been installing for too long
├── ConverterMissing     the environment with torch that a conversion runs in is not there
├── ConversionFailed     the conversion ended with an error
└── DeviceUnavailable    the asked device has no execution provider here
"""

from __future__ import annotations


class ModelError(Exception):
    """A model can not be used; the message says what to do."""


class RegistryInvalid(ModelError):
    """The model registry can not be read; mend the named key of the named file."""


class ModelMissing(ModelError):
    """The model is not installed; run `causeway model fetch ROLE`, or name a local path in the registry."""


class ModelMismatch(ModelError):
    """The bytes differ from the recorded sha256; delete the named folder and fetch again."""


class ModelUnfetchable(ModelError):
    """The source could not be read; check the network or package index, or name a local path in the registry."""


class ModelLocked(ModelError):
    """Another process is installing this model; wait for it, or end it, and try again."""


class ConverterMissing(ModelError):
    """A folder for vLLM is made by vLLM's own environment; run `make setup-vllm`, or name one by CAUSEWAY_VLLM."""


class ConversionFailed(ModelError):
    """The weights could not be converted; the message has the last lines of the converter."""


class DeviceUnavailable(ModelError):
    """The device is not available; install an onnxruntime with its provider, or set device: cpu."""
