"""Published attention bugs, correct implementations, and the rules that others check with.

Each entry is a small torch program with the options it is meant to have. The bugs are those of
public issues and pull requests, one each and nothing else wrong; the correct programs are ways in
which attention is really computed; the rivals are the rules of other projects.
"""
