"""Names and ids for what was given none: a run's name is an adjective and an animal."""

from __future__ import annotations

import os
import random

_ADJECTIVES = """
able adept agile alert amber ample apt arctic ardent astute autumn azure balmy bold brave breezy bright brisk bronze
calm candid careful cheery chipper civic clear clever cobalt cool copper coral cordial cosmic cosy crimson crisp
curious dapper daring deft dewy diligent eager early earnest easy elegant emerald even fabled fair fearless fleet
fluent fond frank fresh gentle giddy glad golden graceful grand hardy hazel hearty honest humble indigo ivory jade
jolly jovial keen kind lilac lively loyal lucid lucky lunar mellow merry mighty mild mindful misty modest neat nimble
noble opal patient placid plucky polite prompt proud quick quiet radiant rapid ready robust rosy ruby rustic sage
scarlet serene sharp shiny silent silver sincere sleek smooth snowy sober solar solid spry stable steady stellar
sterling stoic sturdy sunny swift tactful tawny tender thrifty tidy topaz tranquil trusty upbeat urbane valiant velvet
vernal violet vivid warm wary wise witty zesty
"""
_ANIMALS = """
albatross alpaca antelope badger bat bear beaver beetle bison boar bobcat bullfinch buzzard camel caribou cat chamois
cheetah chough condor cormorant cougar coyote crane cricket crow curlew deer dingo dolphin dormouse dove dragonfly
duck eagle egret eland elk ermine falcon ferret finch firefly flamingo fox gazelle gecko gibbon goat goose goshawk
grebe grouse gull hare harrier hawk hedgehog heron hoopoe hornet horse hound ibex ibis jackal jackdaw jaguar jay
kestrel kingfisher kite koala lapwing lark lemur leopard linnet lion lizard llama lynx macaw magpie mallard manatee
marlin marmot marten martin mink mole moose moth mule newt nightjar ocelot orca oriole osprey otter owl panda panther
partridge pelican penguin petrel pheasant pika pike plover pony puffin quail rabbit raccoon ram raven robin rook
salmon seal shrew skylark sparrow spoonbill squirrel starling stoat stork swallow swan swift tapir tern thrush tiger
toad trout turtle vole walrus warbler weasel whale wolf wombat woodcock wren yak zebra
"""
ADJECTIVES = tuple(_ADJECTIVES.split())
ANIMALS = tuple(_ANIMALS.split())


def random_name() -> str:
    """Return a fresh `adjective-animal` name; names need not be unique."""
    return f"{random.choice(ADJECTIVES)}-{random.choice(ANIMALS)}"


_dice = random.Random()
"""Begins at a place that the system chose; nobody else seeds this one."""
os.register_at_fork(after_in_child=_dice.seed)  # else the child would give the ids that its parent gives


def random_id() -> str:
    """Return a random UUID (version 4), lower case with hyphens; it need not be hard to guess.

    No call of the system each time: the interpreter is let go of in that one, and the event loop is slow to give it
    back.
    """
    digits = f"{_dice.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
