"""A mask as a DICOM Segmentation (SEG), for the systems that the series came from; written by highdicom."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onenet.errors import DataError
from onenet.volumes.volume import Volume

_MAKER = "onenet"
_MAY_BE_EMPTY = (  # "type 2": the standard wants them, if only empty
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
    "StudyTime", "ReferringPhysicianName",
)  # fmt: skip


def dicom_seg_bytes(
    mask: NDArray[np.uint8],
    like: Volume,
    classes: Sequence[str],
    background: int | None,
    overlapping: bool = False,
    version: str = "",
) -> bytes:
    """A SEG object with a segment for each class but the background.

    Who the patient is and which study it is come from the series, as the standard wants; nothing else does.

    Args:
        mask: (x, y, z) on the grid of `like`, class indices or bit codes.
        like: a DICOM series as it was read.
        classes, background, overlapping: as in the model's card.
        version: of the model's maker.

    Raises:
        DataError: the volume is no DICOM series, or the mask is empty.
    """
    import highdicom
    from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    if not like.files:
        raise DataError(f"{like.file}: is no DICOM series, so that there is nothing to refer to; leave dicom-seg out "
                        "of --save")  # fmt: skip
    kept = [index for index in range(len(classes)) if overlapping or index != background]
    planes = [(mask >> np.uint8(index)) & 1 if overlapping else mask == index for index in kept]
    stack = np.stack(planes, axis=-1).astype(np.uint8).transpose(2, 1, 0, 3)  # slice, row, column, segment
    if not stack.any():
        raise DataError(f"{like.file}: nothing was found, and DICOM has no empty segmentation; leave dicom-seg out of "
                        "--save")  # fmt: skip
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=_MAKER, family=codes.DCM.ArtificialIntelligence, version=version or "unknown"
    )
    described = [
        SegmentDescription(
            segment_number=number,
            segment_label=classes[index][:64],
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=CodedConcept(f"CLASS-{index}", "99ONENET", classes[index][:64]),
            algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
        )
        for number, index in enumerate(kept, 1)
    ]
    made = Segmentation(
        source_images=[_source(path) for path in like.files],
        pixel_array=stack,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=described,
        series_instance_uid=highdicom.UID(),
        series_number=100,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=_MAKER,
        manufacturer_model_name=_MAKER,
        software_versions=version or "unknown",
        device_serial_number="0",
    )
    buffer = io.BytesIO()
    made.save_as(buffer)
    return buffer.getvalue()


def _source(path: Path) -> Any:
    """A slice's header, what may be empty filled with nothing where it is missing.

    Raises:
        DataError: it does not say in whose frame of reference it lies.
    """
    import pydicom

    header = pydicom.dcmread(path)
    for tag in _MAY_BE_EMPTY:
        if tag not in header:
            setattr(header, tag, "")
    for tag in ("FrameOfReferenceUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        if tag not in header:
            raise DataError(
                f"{path}: has no {tag}, to which a segmentation has to refer; leave dicom-seg out of --save"
            )
    return header
