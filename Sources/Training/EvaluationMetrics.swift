extension TrainingRecipe {
  /// The names of an evaluation's figures: some of each split, for each number of steps.
  package var evaluationMetrics: [String] {
    guard evaluateEvery > 0 else { return [] }
    var figures = ["frechet_distance", "accuracy"]
    if evaluatePrompts != nil {
      figures = ["retrieval_top_1", "retrieval_top_5", "frechet_distance", "kernel_distance"]
      if evaluateCount > 1 { figures.append("diversity") }
    }
    let isWhole = evaluatePrompts == nil || evaluateSplits.isEmpty
    let splits: [String?] = isWhole ? [nil] : evaluateSplits
    return evaluateSteps.flatMap { steps in
      splits.flatMap { split in
        figures.map { Self.evaluationMetric($0, split: split, steps: steps) }
      }
    }
  }

  /// The name of a figure, such as `retrieval_top_1/held-out/1_step`.
  package static func evaluationMetric(_ figure: String, split: String?, steps: Int) -> String {
    [figure, split, "\(steps)_step\(steps == 1 ? "" : "s")"].compactMap { $0 }
      .joined(separator: "/")
  }
}
