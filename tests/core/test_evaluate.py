import numpy as np

from lookwho.core import evaluate


def test_detection_counts_wanted_faces_and_boxes_on_nothing():
    labelled = np.float32([[0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60]])
    boxes = np.float32([[1, 0, 10, 10], [21, 1, 29, 9], [80, 80, 90, 90], [58, 58, 70, 70]])

    found = evaluate.detection(boxes, labelled, [True, False, True])

    assert found == evaluate.DetectionCount(labelled=2, found=1, stray=1)


def test_detection_without_boxes_or_labels_works():
    none, some = np.zeros((0, 4), np.float32), np.float32([[0, 0, 1, 1]])

    assert evaluate.detection(none, some, [True]) == evaluate.DetectionCount(1, 0, 0)
    assert evaluate.detection(some, none, []) == evaluate.DetectionCount(0, 0, 1)
