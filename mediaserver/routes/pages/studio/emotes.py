"""Emotes of a channel: pictures that are uploaded here and stand for a word in its chat."""
