import Training

/// The steps of a run at which it is evaluated.
struct EvaluationSteps {
  private let recipe: TrainingRecipe
  /// The step of an evaluation that the run has in its log when it starts.
  private var known: Int?

  init(_ recipe: TrainingRecipe) { self.recipe = recipe }

  /// Looks at what the run has evaluated before.
  ///
  /// - Throws: the errors of reading the log.
  mutating func begin() throws {
    known = try recipe.evaluationMetrics.first
      .flatMap { try RunLog(of: recipe.output)[$0]?.steps.last }
  }

  /// Whether the run is evaluated after a step.
  func contains(_ step: Int) -> Bool {
    step > 0 && step != known && (step % recipe.evaluateEvery == 0 || step == recipe.steps)
  }
}
