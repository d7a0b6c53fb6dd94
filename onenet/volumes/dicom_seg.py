"""A mask as a DICOM Segmentation (SEG), for the systems that the series came from; written by highdicom."""

import io
import warnings
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
_REFERRED_TO = ("FrameOfReferenceUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_LONGEST = 64  # characters of a name


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
        DataError: the volume is no DICOM series, or its headers lack what a segmentation has to refer to.
    """
    if not like.files:
        raise DataError(f"{like.file}: is no DICOM series, so that there is nothing to refer to; leave dicom-seg out "
                        "of --save")  # fmt: skip
    kept = [index for index in range(len(classes)) if overlapping or index != background]
    planes = [(mask >> np.uint8(index)) & 1 if overlapping else mask == index for index in kept]
    stack = np.stack(planes, axis=-1).astype(np.uint8).transpose(2, 1, 0, 3)  # slice, row, column, segment
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote what stands in the series, the patient's name too
        sources = [_source(path) for path in like.files]
        try:
            return _written(sources, stack, [classes[index] for index in kept], kept, version or "unknown")
        except ModuleNotFoundError:
            raise
        except Exception as error:  # highdicom and pydicom raise many kinds, and quote as well
            raise DataError(f"{like.file}: no segmentation can refer to it, its headers are not as the standard has "
                            f"them ({type(error).__name__}); leave dicom-seg out of --save") from None  # fmt: skip


def _written(
    sources: list[Any], stack: NDArray[np.uint8], labels: Sequence[str], numbers: Sequence[int], version: str
) -> bytes:
    import highdicom
    from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=_MAKER, family=codes.DCM.ArtificialIntelligence, version=version
    )
    labels = [label.replace("\\", "/")[:_LONGEST] for label in labels]  # a backslash would part two values
    described = [
        SegmentDescription(
            segment_number=place,
            segment_label=label,
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=CodedConcept(f"CLASS-{number}", "99ONENET", label),
            algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
        )
        for place, (label, number) in enumerate(zip(labels, numbers, strict=True), 1)
    ]
    made = Segmentation(
        source_images=sources,
        pixel_array=stack,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=described,
        series_instance_uid=highdicom.UID(),
        series_number=100,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=_MAKER,
        manufacturer_model_name=_MAKER,
        software_versions=version,
        device_serial_number="0",
        omit_empty_frames=bool(stack.any()),  # where nothing was found all frames are written, empty
    )
    made.SpecificCharacterSet = "ISO_IR 192"  # UTF-8: names of classes and of people in any script
    buffer = io.BytesIO()
    made.save_as(buffer)
    return buffer.getvalue()


def _source(path: Path) -> Any:
    """A slice's header, what may be empty filled with nothing where it is missing.

    Raises:
        DataError: it cannot be read, or does not say in whose frame of reference it lies.
    """
    import pydicom

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
    except Exception as error:  # pydicom raises many kinds for a damaged header
        raise DataError(f"{path}: cannot be read ({type(error).__name__} in its header); copy it again") from None
    if "SpecificCharacterSet" in header and not header.SpecificCharacterSet:
        del header.SpecificCharacterSet  # highdicom takes it for none or one that is known
    for tag in _MAY_BE_EMPTY:
        if tag not in header:
            setattr(header, tag, "")
    for tag in _REFERRED_TO:
        if tag not in header:
            raise DataError(
                f"{path}: has no {tag}, to which a segmentation has to refer; leave dicom-seg out of --save"
            )
    return header
