"""The works that reports cite, once for reading (APA) and once for BibTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """A work: how the text names it, the entry of the list of references, its BibTeX fields."""

    short: str
    entry: str
    kind: str
    fields: dict[str, str]

    def bibtex(self, key: str) -> str:
        """The entry of a ``.bib`` file."""
        lines = [f"  {name} = {{{value}}}," for name, value in self.fields.items()]
        return "\n".join([f"@{self.kind}{{{key},", *lines, "}"])


WORKS: dict[str, Work] = {
    "baltrusaitis2018": Work(
        "Baltrušaitis et al., 2018",
        "Baltrušaitis, T., Zadeh, A., Lim, Y. C., & Morency, L.-P. (2018). OpenFace 2.0: Facial "
        "behavior analysis toolkit. 13th IEEE International Conference on Automatic Face & Gesture "
        "Recognition (FG 2018), 59–66. https://doi.org/10.1109/FG.2018.00019",
        "inproceedings",
        {
            "author": "Baltru{\\v{s}}aitis, Tadas and Zadeh, Amir and Lim, Yao Chong and Morency, "
            "Louis-Philippe",
            "title": "{OpenFace} 2.0: Facial Behavior Analysis Toolkit",
            "booktitle": "13th IEEE International Conference on Automatic Face \\& Gesture "
            "Recognition (FG 2018)",
            "year": "2018",
            "pages": "59--66",
            "doi": "10.1109/FG.2018.00019",
        },
    ),
    "barrett2019": Work(
        "Barrett et al., 2019",
        "Barrett, L. F., Adolphs, R., Marsella, S., Martinez, A. M., & Pollak, S. D. (2019). "
        "Emotional expressions reconsidered: Challenges to inferring emotion from human facial "
        "movements. Psychological Science in the Public Interest, 20(1), 1–68. "
        "https://doi.org/10.1177/1529100619832930",
        "article",
        {
            "author": "Barrett, Lisa Feldman and Adolphs, Ralph and Marsella, Stacy and Martinez, "
            "Aleix M. and Pollak, Seth D.",
            "title": "Emotional Expressions Reconsidered: Challenges to Inferring Emotion From "
            "Human Facial Movements",
            "journal": "Psychological Science in the Public Interest",
            "year": "2019",
            "volume": "20",
            "number": "1",
            "pages": "1--68",
            "doi": "10.1177/1529100619832930",
        },
    ),
    "brier1950": Work(
        "Brier, 1950",
        "Brier, G. W. (1950). Verification of forecasts expressed in terms of probability. Monthly "
        "Weather Review, 78(1), 1–3.",
        "article",
        {
            "author": "Brier, Glenn W.",
            "title": "Verification of Forecasts Expressed in Terms of Probability",
            "journal": "Monthly Weather Review",
            "year": "1950",
            "volume": "78",
            "number": "1",
            "pages": "1--3",
        },
    ),
    "chollet2015": Work(
        "Chollet et al., 2015",
        "Chollet, F., et al. (2015). Keras [Computer software]. https://keras.io",
        "misc",
        {
            "author": "Chollet, Fran{\\c{c}}ois and others",
            "title": "Keras",
            "year": "2015",
            "howpublished": "\\url{https://keras.io}",
        },
    ),
    "davison1997": Work(
        "Davison & Hinkley, 1997",
        "Davison, A. C., & Hinkley, D. V. (1997). Bootstrap methods and their application. "
        "Cambridge University Press.",
        "book",
        {
            "author": "Davison, Anthony C. and Hinkley, David V.",
            "title": "Bootstrap Methods and their Application",
            "publisher": "Cambridge University Press",
            "year": "1997",
        },
    ),
    "ekman2002": Work(
        "Ekman et al., 2002",
        "Ekman, P., Friesen, W. V., & Hager, J. C. (2002). Facial Action Coding System: The manual "
        "on CD ROM. A Human Face.",
        "book",
        {
            "author": "Ekman, Paul and Friesen, Wallace V. and Hager, Joseph C.",
            "title": "Facial Action Coding System: The Manual on {CD} {ROM}",
            "publisher": "A Human Face",
            "address": "Salt Lake City",
            "year": "2002",
        },
    ),
    "friesen1983": Work(
        "Friesen & Ekman, 1983",
        "Friesen, W. V., & Ekman, P. (1983). EMFACS-7: Emotional Facial Action Coding System "
        "[Unpublished manuscript]. University of California at San Francisco.",
        "unpublished",
        {
            "author": "Friesen, Wallace V. and Ekman, Paul",
            "title": "{EMFACS-7}: Emotional Facial Action Coding System",
            "note": "Unpublished manuscript, University of California at San Francisco",
            "year": "1983",
        },
    ),
    "guo2017": Work(
        "Guo et al., 2017",
        "Guo, C., Pleiss, G., Sun, Y., & Weinberger, K. Q. (2017). On calibration of modern neural "
        "networks. Proceedings of the 34th International Conference on Machine Learning, PMLR 70, "
        "1321–1330.",
        "inproceedings",
        {
            "author": "Guo, Chuan and Pleiss, Geoff and Sun, Yu and Weinberger, Kilian Q.",
            "title": "On Calibration of Modern Neural Networks",
            "booktitle": "Proceedings of the 34th International Conference on Machine Learning",
            "series": "Proceedings of Machine Learning Research",
            "volume": "70",
            "year": "2017",
            "pages": "1321--1330",
        },
    ),
    "pedregosa2011": Work(
        "Pedregosa et al., 2011",
        "Pedregosa, F., Varoquaux, G., Gramfort, A., Michel, V., Thirion, B., Grisel, O., Blondel, "
        "M., Prettenhofer, P., Weiss, R., Dubourg, V., Vanderplas, J., Passos, A., Cournapeau, D., "
        "Brucher, M., Perrot, M., & Duchesnay, É. (2011). Scikit-learn: Machine learning in "
        "Python. Journal of Machine Learning Research, 12, 2825–2830.",
        "article",
        {
            "author": "Pedregosa, F. and Varoquaux, G. and Gramfort, A. and Michel, V. and "
            "Thirion, B. and Grisel, O. and Blondel, M. and Prettenhofer, P. and Weiss, R. and "
            "Dubourg, V. and Vanderplas, J. and Passos, A. and Cournapeau, D. and Brucher, M. and "
            "Perrot, M. and Duchesnay, {\\'E}.",
            "title": "Scikit-learn: Machine Learning in {Python}",
            "journal": "Journal of Machine Learning Research",
            "year": "2011",
            "volume": "12",
            "pages": "2825--2830",
        },
    ),
    "wilson1927": Work(
        "Wilson, 1927",
        "Wilson, E. B. (1927). Probable inference, the law of succession, and statistical "
        "inference. Journal of the American Statistical Association, 22(158), 209–212. "
        "https://doi.org/10.1080/01621459.1927.10502953",
        "article",
        {
            "author": "Wilson, Edwin B.",
            "title": "Probable Inference, the Law of Succession, and Statistical Inference",
            "journal": "Journal of the American Statistical Association",
            "year": "1927",
            "volume": "22",
            "number": "158",
            "pages": "209--212",
            "doi": "10.1080/01621459.1927.10502953",
        },
    ),
}
"""Every work, in the order of a list of references."""


class Citations:
    """Which works a text cites, collected while it is written."""

    def __init__(self) -> None:
        self._cited: set[str] = set()

    def __call__(self, *keys: str) -> str:
        """The works as a text names them in brackets: ``Guo et al., 2017; Wilson, 1927``."""
        self._cited.update(keys)
        return "; ".join(WORKS[key].short for key in keys)

    @property
    def keys(self) -> list[str]:
        """The works that were cited, in the order of `WORKS`."""
        return [key for key in WORKS if key in self._cited]


def bibtex(keys: Sequence[str]) -> str:
    """A ``.bib`` file of these works."""
    return "\n\n".join(WORKS[key].bibtex(key) for key in keys) + "\n"
