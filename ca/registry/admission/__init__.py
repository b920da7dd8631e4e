"""Whether a registration entry may be stored, and in what form (spire-features 7.6)."""

from ca.registry.admission.judge_entry import judge_entry, judge_entry_id, judge_selectors

__all__ = ["judge_entry", "judge_entry_id", "judge_selectors"]
