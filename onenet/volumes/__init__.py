"""Medical volumes in and out: NIfTI, NRRD, MetaImage and DICOM series, their orientation, spacing and grey values.

file -> Volume -> canonical -> slices -> resampled, normalised images;  mask -> back the same way -> file
"""

from onenet.volumes.channels import check_finite, join_channels
from onenet.volumes.files import SUFFIXES, case_name, files_of, is_series, is_volume, read_header, read_volume
from onenet.volumes.grids import ASIDE, apart, on_one_grid
from onenet.volumes.intensity import normalise
from onenet.volumes.orientation import canonical, from_canonical, from_slices, slices
from onenet.volumes.resampling import resample_in_plane, resampled_size
from onenet.volumes.volume import Volume
from onenet.volumes.writing import nifti_bytes

__all__ = [
    "ASIDE", "SUFFIXES", "Volume", "apart", "canonical", "case_name", "check_finite", "files_of", "from_canonical",
    "from_slices", "is_series", "is_volume", "join_channels", "nifti_bytes", "normalise", "on_one_grid", "read_header",
    "read_volume", "resample_in_plane", "resampled_size", "slices",
]  # fmt: skip
