"""Exact reasons for a prediction, for models of trees and linear models, read from the zip without Spark.

``trees`` reads the nodes, ``stages`` and ``vectors`` repeat the pipeline's features, ``shapley`` computes the values,
``reasons`` picks the strongest, ``words`` puts them into a sentence.
"""
