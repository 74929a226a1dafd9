# SPDX-License-Identifier: Apache-2.0
"""Stands in for the bindings of kms++, which Debian does not package.

Picamera2 imports them for its DRM preview and reads names of pixel formats then. Nothing is drawn here.
"""


class _PixelFormats:
    """Any pixel format, by its name."""

    def __getattr__(self, name: str) -> str:
        return name


PixelFormat = _PixelFormats()
