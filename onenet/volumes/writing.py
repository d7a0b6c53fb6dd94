"""A mask as a NIfTI file with the grid of the volume that was segmented."""

import gzip
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet.volumes.volume import Volume

_OF_THE_FORMAT = ("magic", "eol_check", "regular")  # texts that are none


def nifti_bytes(mask: NDArray[np.uint8], like: Volume) -> bytes:
    """A compressed NIfTI file of a mask (x, y, z) with the affine and, of a NIfTI file, the header of `like`.

    Its extensions and free texts are left out: they describe the image, and may name the patient.
    """
    import nibabel

    header: Any = like.header
    kind = nibabel.Nifti2Image if isinstance(header, nibabel.Nifti2Header) else nibabel.Nifti1Image
    image = kind(np.ascontiguousarray(mask), like.affine, None if header is None else header.copy())
    image.header.set_data_dtype(np.uint8)
    image.header.set_slope_inter(1, 0)
    image.header.extensions.clear()
    for field in image.header:
        if image.header[field].dtype.kind == "S" and field not in _OF_THE_FORMAT:
            image.header[field] = b""
    image.header["cal_max"] = image.header["cal_min"] = 0
    if header is None:
        image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), compresslevel=6, mtime=0)
