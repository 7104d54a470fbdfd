"""What a plan has to tell: who stands in the way, who wants otherwise, and what the bridge did instead."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.layouts import layout_of
from bridge.model.keys import Wish, group_title
from bridge.model.problem import Problem
from bridge.ownership.claims import Claim, Group, differing, may_merge
from bridge.ownership.foreign import Foreign
from bridge.ownership.records import claim_path, is_newer
from bridge.ownership.standing import Standing

NEWER = "a newer bridge wrote this record: upgrade this one"


class Problems:
    """Those of one plan, as its groups are looked at."""

    def __init__(self, standing: Standing) -> None:
        self.found: list[Problem] = []
        self._layout = standing.publisher.layout
        self._tree, self._records = standing.publisher.tree, standing.mirror.records.prefix

    def of_newer(self, group: Group, wish: Wish | None, path: str) -> None:
        """A record that this bridge would have to write over is a newer one's. `path`: below the records' prefix."""
        self._add(_title(group, wish), self._records + path, "", NEWER, "left the group as it is")

    def of_foreign(self, group: Group, wish: Wish | None, found: Foreign) -> None:
        """Somebody else wrote a key that concerns the group."""
        did = "froze the group: its shared keys stay as they are" if found.freezes else "left it alone"
        wanted = wish is not None and (found.path in wish.shared or found.path in wish.own)
        remedy = "delete it, and the bridge writes its own, or adopt it" if wanted else "if nobody needs it, delete it"
        reason = f"this key was not written by a bridge; {remedy}"
        key = self._tree + found.path
        self._add(_title(group, wish), key, self._shown(found.path, found.held.value), reason, did)

    def of_withheld(self, wish: Wish, needs: str, decider: str) -> None:
        """What the wish rests on means something else now."""
        reason = f"{wish.group} needs {needs}, which cluster {decider} decides and wants otherwise"
        self._add(wish.title, "", "", reason, "withheld it")

    def of_kept_out(self, wish: Wish, lead: str, decider: str) -> None:
        """What leads to the group means something else now."""
        reason = f"what leads to {wish.group} is or needs {lead}, which cluster {decider} decides and wants otherwise"
        self._add(wish.title, "", "", reason, "kept this cluster's servers out")

    def of_open(self, wish: Wish) -> None:
        """Hand-written keys route or protect otherwise than the servers of this cluster need."""
        reason = "a hand-written key of this group routes or protects otherwise than its servers need"
        self._add(wish.title, "", "", reason, "kept new servers out")

    def of_overwritten(self, wish: Wish, path: str) -> None:
        """A record of this cluster is not as this cluster wrote it. `path`: below the records' prefix."""
        reason = "somebody else wrote over this record of the bridge"
        self._add(wish.title, self._records + path, "", reason, "wrote it again")

    # What reports say

    def of_unread(self, group: Group, wish: Wish, me: str) -> None:
        """What others want is not known where their claims cannot be read; the decider's was told of."""
        for claim in group.claims[1:]:
            if claim.keys is None and claim.cluster != me:
                reason = NEWER if is_newer(claim.held.value) else "nobody can read this claim"
                key = self._records + claim_path(claim.cluster, group.name)
                self._add(wish.title, key, "", reason, "left it alone")

    def of_unreadable(self, group: Group, wish: Wish, decider: Claim) -> None:
        """The claim of who decides cannot be read."""
        key = self._records + claim_path(decider.cluster, group.name)
        reason = f"the claim of cluster {decider.cluster}, which decides, cannot be read: upgrade this bridge"
        self._add(wish.title, key, "", reason, "left the group as it is")

    def of_wishes(self, wish: Wish, target: Mapping[str, str], decider: str) -> None:
        """A disagreement names the decider and both values; of two layouts no key is alike, and once is enough."""
        own, other = self._layout.name, layout_of(target, self._layout)
        if other != own:
            reason = f"cluster {decider}, which decides, publishes {other} below this prefix, and this cluster {own}; "
            reason += f"say --layout {other} here, or give each layout a prefix of its own"
            self._add(wish.title, "", "", reason, "kept this cluster's servers out")
            return
        for path, ours, theirs in differing(wish.shared, target):
            key = self._tree + path
            reason = f"cluster {decider} decides and wants {self._told(path, theirs)}"
            reason += f" where this cluster wants {self._told(path, ours)}"
            did = "kept the decider's value"
            self._add(wish.title, key, self._shown(path, ours or ""), reason, did)
        if not may_merge(wish.shared, target, self._layout):
            reason = f"no host in common with cluster {decider}, which decides, or it does not protect alike"
            self._add(wish.title, "", "", reason, "kept this cluster's servers out")

    def of_claims(self, group: Group, wish: Wish) -> None:
        """The decider hears of a disagreement too: its owners may be the ones who are wrong."""
        own = self._layout.name
        for claim in group.claims[1:]:
            if (other := layout_of(claim.keys or (), self._layout)) != own:
                reason = f"cluster {claim.cluster} publishes {other} below this prefix, and this cluster {own}"
                self._add(wish.title, "", "", reason, "that cluster keeps its servers out")
                continue
            for path, ours, theirs in differing(wish.shared, claim.keys) if claim.keys is not None else ():
                reason = f"this cluster decides and wants {self._told(path, ours)}"
                reason += f" where cluster {claim.cluster} wants {self._told(path, theirs)}"
                key, did = self._tree + path, "kept this cluster's value"
                self._add(wish.title, key, self._shown(path, ours or ""), reason, did)
            if claim.keys is not None and not may_merge(claim.keys, wish.shared, self._layout):
                reason = f"no host in common with cluster {claim.cluster}, or it does not protect alike"
                self._add(wish.title, "", "", reason, "that cluster keeps its servers out")

    def _told(self, path: str, value: str | None) -> str:
        if value is None:
            return "no such key"
        return "a value of its own" if self._layout.is_secret(path, value) else repr(value)

    def _shown(self, path: str, value: str) -> str:
        return "" if self._layout.is_secret(path, value) else value

    def _add(self, title: str, key: str, value: str, reason: str, did: str) -> None:
        self.found.append(Problem(title, key, value, reason, did))


def _title(group: Group, wish: Wish | None) -> str:
    return wish.title if wish else group_title(group.name)
