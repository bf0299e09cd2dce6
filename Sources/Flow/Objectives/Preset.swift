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
  /// TwinFlow on the flow of the initial network in place of the paths of samples.
  case twinFlowDistilled = "twinflow-distilled"
  /// TwinFlow for small networks, as in the published tutorial.
  case tutorial
  /// Mean flows.
  case meanFlow = "meanflow"
  /// Improved mean flows.
  case improvedMeanFlow = "improved-meanflow"
  /// Solution flow models: mean flows without a derivative.
  case soFlow = "soflow"
  /// Consistency training in continuous time, by the exact derivative.
  case sCM = "scm"
  /// Consistency distillation in continuous time, by the exact derivative.
  case sCD = "scd"
  /// Consistency training in continuous time, by a difference, as in UCGM.
  case ucgm
  /// Progressive distillation: the first run.
  case progressive
  /// Distribution matching without an adversarial term.
  case dmd
  /// Distribution matching with an adversarial term.
  case dmd2
  /// Distribution matching by one network with two heads.
  case twinDMD = "twin-dmd"
  /// SANA-Sprint: consistency distillation with an adversarial term.
  case sanaSprint = "sana-sprint"
  /// Variational score distillation.
  case vsd
  /// Score identity distillation.
  case sid
  /// TwinFlow with a shifted condition in place of negative times.
  case apex

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
    case .twinFlowDistilled:
      settings.groups = GroupWeights(endToEnd: 2, anyStep: 0, toData: 1)
      (settings.order, settings.firstStep, settings.source) = (1, 0.1, .network)
      settings.firstStepSolver = .heun
      (settings.targetEMADecay, settings.enhancedRatio) = (1, 1)
      // Also at time 1, where one step starts.
      settings.enhancedRange = .init(lower: -1, upper: 2)
      settings.regressionLoss = .l2
    case .tutorial: return TutorialSettings()
    case .meanFlow: return MeanFlowSettings()
    case .improvedMeanFlow:
      var settings = MeanFlowSettings()
      (settings.form, settings.farShare, settings.weightOffset) = (.improved, 0.5, 0.01)
      return settings
    case .soFlow:
      var settings = MeanFlowSettings()
      (settings.form, settings.reduction, settings.weightOffset) = (.solution, .mean, 0.01)
      return settings
    case .sCM, .sCD:
      var settings = ConsistencySettings()
      settings.parametrization = .trigonometric
      if self == .sCD { settings.source = .teacher }
      return settings
    case .ucgm:
      var settings = ConsistencySettings()
      (settings.derivative, settings.tangent) = (.difference, .clamped)
      settings.timeDistribution = .beta(BetaDistribution(a: 0.8))
      return settings
    case .progressive: return ProgressiveSettings()
    case .dmd: return DistributionMatchingSettings()
    case .dmd2:
      var settings = DistributionMatchingSettings()
      settings.adversarial = AdversarialSettings(weight: 1e-3)
      return settings
    case .twinDMD: return TwinDistributionMatchingSettings()
    case .sanaSprint:
      var settings = ConsistencySettings()
      (settings.source, settings.parametrization) = (.teacher, .trigonometric)
      settings.adversarial = AdversarialSettings(weight: 0.5)
      return settings
    case .vsd:
      var settings = DistributionMatchingSettings()
      settings.weight = .noise
      return settings
    case .sid: return ScoreIdentitySettings()
    case .apex: settings.conditionShift = ConditionShift(scale: -0.5, offset: 1)
    }
    return settings
  }

  /// Whether it trains LoRA.
  public var trainsLoRA: Bool { self == .twinFlowLoRA1 || self == .twinFlowLoRA2 }
}
