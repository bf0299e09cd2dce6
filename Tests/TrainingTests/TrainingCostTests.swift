import Testing

@testable import Training

@Suite struct TrainingCostTests {
  /// Batches of 8: two rows in each of four groups.
  static let costs: [(String, Double, Double)] = [
    ("{preset: flow-matching}", 8, 8),
    // The student, and two steps of the target network on all rows but no guidance.
    ("{preset: rcgm, enhanced_ratio: 0, groups: {any_step: 1}}", 24, 8),
    // The student; guidance on six rows but the two at t = 1, twice; RCGM on six, twice; two fakes;
    // rectification on two, twice.
    ("{preset: twinflow}", 34, 8),
    ("{kind: classification}", 8, 8),
  ]

  @Test(arguments: costs)
  func countsEvaluations(objective: String, forward: Double, backward: Double) throws {
    let model =
      objective.contains("classification")
      ? "model={kind: classifier}" : "model={kind: dit, patch: 14, width: 16, depth: 1, heads: 2}"
    let recipe = try tinyRecipe(
      "out", model, "objective=\(objective)", "batch=8", "condition_dropout=0")
    let cost = try TrainingCost(recipe)
    #expect(cost.forward == forward && cost.backward == backward)
    #expect(cost.evaluations == forward + 2 * backward)
  }

  /// The generator's share of the work is divided by its interval.
  @Test func countsWhatEachNetworksLossNeeds() throws {
    let recipe = try tinyRecipe(
      "out", "objective={kind: distribution-matching, interval: 4}", "start=base", "batch=8")
    let cost = try TrainingCost(recipe)
    // Every step: the sample, and the fakes' network with its gradient. Every fourth: the sample with
    // its gradient, teacher and fakes' network.
    #expect(cost.forward == 8 + 8 + (8 + 8 + 8) / 4)
    #expect(cost.backward == 8 + 8 / 4)
  }
}
