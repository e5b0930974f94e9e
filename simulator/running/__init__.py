"""One run, from its parties to its verdict: who takes part, what bounds it, what it found, what identifies it.

`orchestrator` puts the others together. What a run does at the file system is `simulator.engine`'s, who moves next is
a strategy's, what counts as wrong is an oracle's. (`simulator.run` is the function that makes a run.)
"""
