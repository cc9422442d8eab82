"""The servers one can go to: the profiles of the configuration file."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from flowlatch.config import Profile, Settings
from flowlatch.live.session import Session
from flowlatch.text import one_line
from flowlatch.ui.format import fit
from flowlatch.ui.screens import link_text
from flowlatch.ui.screens.options import KEY_STYLE, OptionsModal

NOTE = (
    "enter connects; the present server stays until the new one answers\nadd one with: flowlatch profiles add NAME URL"
)


class ConnectionsScreen(OptionsModal[str]):
    """Returns the name of the profile that was chosen, or None."""

    DEFAULT_CSS = """
    ConnectionsScreen > #box { width: 90; max-width: 96%; }
    ConnectionsScreen OptionList { max-height: 14; }
    ConnectionsScreen #now { color: $muted; height: auto; padding: 0 0 1 0; }
    ConnectionsScreen #note { padding: 1 0 0 0; }
    """

    def __init__(self, session: Session, settings: Settings) -> None:
        super().__init__(session)
        self._settings = settings

    def body(self) -> ComposeResult:
        """The present connection in words, then the profiles."""
        yield Static(self._now(), id="now", markup=False)
        yield OptionList(*self._options(), markup=False)
        yield Static(NOTE, id="note", markup=False)

    def _now(self) -> Content:
        """Say what is known of the present server."""
        session = self.session
        capabilities = session.capabilities
        if capabilities is None:
            return Content(f"{session.link.phase}: {one_line(session.link.reason or session.profile.name)}")
        skew = session.clock_skew.total_seconds()
        parts = [
            f"{capabilities.kind} {one_line(capabilities.version, 20)}".strip(),
            link_text.lock(session),
            "changes are pushed" if capabilities.has_push else f"polled every {session.profile.poll_s:g} s",
            f"its clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}" if abs(skew) >= 1 else "clocks agree",
        ]
        if not session.profile.verify:
            parts.append("CERTIFICATE NOT VERIFIED")
        if link_text.is_in_clear(session.profile):
            parts.append("NOT ENCRYPTED")
        return Content(" · ".join(parts))

    def _options(self) -> list[Option]:
        options = [
            Option(self._line(profile), id=f"p{place}")
            for place, profile in enumerate(self._settings.profiles.values())
        ]
        options += [
            Option(
                Content.assemble("  ", fit(one_line(name, 16), 16), " ", (one_line(problem, 120), "$state-failed")),
                disabled=True,
            )
            for name, problem in self._settings.unusable.items()
        ]
        return options

    def _line(self, profile: Profile) -> Content:
        is_here = profile.name == self.session.profile.name
        marks = [
            *(["PROD"] if profile.production else []),
            *(["read-only"] if profile.read_only else []),
            *([] if profile.verify else ["not verified"]),
            *(["not encrypted"] if link_text.is_in_clear(profile) else []),
            *([profile.kind] if profile.kind != "auto" else []),
        ]
        url = profile.url or "embedded server of this machine"
        return Content.assemble(
            ("● " if is_here else "  ", KEY_STYLE),
            (fit(one_line(profile.name, 16), 16), "bold"),
            " ",
            fit(one_line(url, 60), 34),
            " ",
            (" ".join(marks), "$state-late"),
        )

    def on_mount(self) -> None:
        """Stand on the present one."""
        self.query_one("#box").border_title = Content("Connections")
        options = self.options
        names = list(self._settings.profiles)
        here = self.session.profile.name
        options.highlighted = names.index(here) if here in names else 0
        options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Return what was chosen."""
        self.dismiss(list(self._settings.profiles)[event.option_index])
