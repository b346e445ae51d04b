"""The key pair of the simulated service accounts: made once a process, as making one takes a tenth of a second."""

from __future__ import annotations

from functools import cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def private_pem() -> str:
    return _key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def is_signed(text: bytes, signature: bytes) -> bool:
    try:
        _key().public_key().verify(signature, text, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
