"""How much training photographs are changed."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Strength:
    """How much is changed."""

    smallest_crop: float
    """Least share of a lab image's side that is kept."""
    smallest_field_crop: float
    """Least share of a field photograph's shorter side that is kept."""
    turn: float
    """Largest rotation in degrees, on top of quarter turns and flips."""
    colour: float
    """Scale of brightness, contrast, saturation and hue changes."""
    background: float
    """Share of the cut-out leaves that are put on another background."""
    degrade: float
    """Probability of blur, noise and of JPEG compression, each."""
    mixed: float
    """Share of the photographs that are mixed with another (mixup, arXiv:1710.09412)."""

    @classmethod
    def at(cls, progress: float) -> "Strength":
        """Grows with the image size (EfficientNetV2, arXiv:2104.00298), mild at the end (FixRes, arXiv:1906.06423)."""
        if progress > 0.85:
            return cls(
                smallest_crop=0.8,
                smallest_field_crop=0.65,
                turn=10,
                colour=0.6,
                background=0.5,
                degrade=0.15,
                mixed=0,
            )
        grown = min(1.0, 0.5 + progress)
        return cls(
            smallest_crop=0.85 - 0.3 * grown,
            smallest_field_crop=0.8 - 0.35 * grown,
            turn=30 * grown,
            colour=grown,
            background=0.55,
            degrade=0.25 * grown,
            mixed=0.3 * grown,
        )

    def scaled(self, background: float, colour: float, mixed: float) -> "Strength":
        """With other backgrounds, changes of colour (and blur, noise and JPEG) and mixing so many times as often."""
        return replace(
            self,
            background=self.background * background,
            colour=self.colour * colour,
            degrade=self.degrade * colour,
            mixed=self.mixed * mixed,
        )
