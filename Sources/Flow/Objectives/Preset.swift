/// Published methods, by name.
public enum Preset: String, Codable, Hashable, Sendable, CaseIterable {
  /// Multi-step flow matching: Lipman and others, "Flow matching for generative modeling", 2023.
  case flowMatching = "flow-matching"
  /// Any-step generation by recursive consistent velocity fields, without a twin trajectory.
  case rcgm
  /// TwinFlow for large models, as published.
  case twinFlow = "twinflow"
  /// TwinFlow with LoRA for networks without an embedder of target times, order 1.
  case twinFlowLoRA1 = "twinflow-lora-1"
  /// TwinFlow with LoRA for networks without an embedder of target times, order 2.
  case twinFlowLoRA2 = "twinflow-lora-2"
  /// TwinFlow without data: trained on the network's own one-step samples.
  case twinFlowDataFree = "twinflow-data-free"
  /// TwinFlow for small networks, as in the published tutorial.
  case tutorial

  /// The settings of the objective.
  public var settings: any ObjectiveSettings {
    var settings = TwinFlowSettings()
    switch self {
    case .flowMatching:
      settings.groups = GroupWeights(endToEnd: 0, multiStep: 1, anyStep: 0, adversarial: 0)
      settings.order = 0
      (settings.consistencyRatio, settings.enhancedRatio) = (0, 0)
      (settings.rectification, settings.targetEMADecay) = (0, 0)
      settings.regressionLoss = .l2
    case .rcgm:
      settings.groups = GroupWeights(adversarial: 0)
      settings.rectification = 0
    case .twinFlow: break
    case .twinFlowLoRA1:
      settings.groups = GroupWeights(anyStep: 0, toData: 1)
      settings.order = 1
      settings.timeConvention = .middle
    case .twinFlowLoRA2: settings.timeConvention = .middle
    case .twinFlowDataFree:
      settings.dataFree = true
      (settings.targetEMADecay, settings.enhancedRatio) = (1, 4)
    case .tutorial: return TutorialSettings()
    }
    return settings
  }

  /// Whether it trains LoRA.
  public var trainsLoRA: Bool { self == .twinFlowLoRA1 || self == .twinFlowLoRA2 }
}
