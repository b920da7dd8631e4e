"""A join token says nothing of the node that shows it: there are no selectors."""

from typing import Final

from attestors.contract import SelectorGrammar
from attestors.node.join_token.payload import NAME

GRAMMAR: Final = SelectorGrammar(NAME, ())
