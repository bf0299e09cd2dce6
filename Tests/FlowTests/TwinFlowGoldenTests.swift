import Flow
import Tensors
import TestSupport
import Testing

/// The objective for large models against the published code, step by step.
@Suite struct TwinFlowGoldenTests {
  static let cases = [
    "o0_l2_enr0_ema0", "o1_barron_enr0.8_ema0", "o1_l2_enr0.8_ema0.99_3steps", "o2_barron_4d",
    "o2_barron_batch10", "o2_barron_batch4", "o2_barron_enr0.8_ema0",
    "o2_barron_enr0.8_ema0.99_3steps", "o2_barron_enr0.8_ema1_imagefree",
    "o2_barron_range_tdc_alpha0.5", "o2_l2_enr0.0_ema0", "o3_barron_enr0.8_ema0",
  ]

  @Test(arguments: cases) func equalsThePublishedStep(_ name: String) throws {
    let golden = try Golden("method_full__\(name)")
    let settings = try #require(golden.config.method).twinFlowSettings
    let rows = { (group: String) in
      Int(golden.expected["step0.mask.\(group)"]!.values.reduce(0, +))
    }
    let partition = Partition(
      endToEnd: rows("e2e"), multiStep: rows("mul"), anyStep: rows("any"),
      adversarial: rows("adv"))
    let objective = TwinFlow(settings, partition: partition)
    let rate = objective.averageRate
    var step = try GoldenStep(golden, averageRate: rate) { networks, batch, draws in
      objective(
        networks, batch,
        Draws(
          time: draws["t_beta"]!, target: draws["tt_rand"]!, near: draws["tmin_rand"]!,
          fakeNoise: draws["adv_noise"]!, noise: draws["z"]!,
          rectificationNoise: draws["dm_z"]!, rectificationTime: draws["dm_t_beta"]!,
          dataNoise: draws["imagefree_noise"] ?? draws["z"]!))
    }

    for i in 0..<golden.config.steps! {
      let results = try step(i)
      let details = results.group("details")
      let (real, endToEnd) = (0..<partition.real, 0..<partition.endToEnd)
      var checked: [String] = []
      /// Compares a detail with an output where the case has it.
      func expect(
        _ name: String, _ detail: String, rows: Range<Int>? = nil, relative: Double = 1e-5
      ) {
        checked.append(name)
        guard golden.expected["step\(i).\(name)"] != nil else { return }
        golden.expect(details[detail]!, "step\(i).\(name)", rows: rows, relative: relative)
      }
      expect("x_t", "x_t")
      expect("t", "t")
      expect("tt", "tt")
      expect("x_after_adv_replacement", "data")
      expect("target_flow", "flow")
      expect("rcgm0.target_in", "enhanced", rows: real)
      expect("rcgm0.target_out", "regression", rows: real, relative: 2e-4)
      expect("loss0.pred", "velocity")
      expect("loss0.target", "regression", relative: 2e-4)
      expect("loss0.per_sample", "per_sample", relative: 2e-4)
      expect("weighting", "weights")
      expect("dm.F_grad", "difference")
      expect("loss1.per_sample", "rectification")
      let velocity = details["velocity"]!.rows(endToEnd)
      golden.expect(velocity, "step\(i).loss1.pred")
      golden.expect(
        Numbers(
          zip(velocity.values, details["difference"]!.values).map { $0 - $1 }, velocity.shape),
        "step\(i).loss1.target")

      let averaged = rate > 0 && rate < 1
      step.expectUpdate(results, i, averaged: averaged)
      if averaged { golden.expect(results["decay"]!, "step\(i).ema_decay_after") }
      let left = step.unchecked(i, checked + ["loss1.pred", "loss1.target"])
      #expect(left == [], "\(name): outputs that nothing was compared with")
    }
  }
}

extension Golden.Method {
  /// The settings under our names.
  var twinFlowSettings: TwinFlowSettings {
    var settings = TwinFlowSettings()
    settings.order = estimate_order
    settings.enhancedRatio = enhanced_ratio
    settings.averageRate = ema_decay_rate
    settings.dataFree = use_image_free ?? false
    settings.distance =
      switch loss_func_type?.type {
      case "l2": .l2
      default: .barron(alpha: loss_func_type?.alpha ?? 1, c: loss_func_type?.c ?? 1e-3)
      }
    if let range = enhanced_range {
      settings.enhancedRange = .init(lower: range[0], upper: range[1])
    }
    if let control = time_dist_ctrl {
      settings.timeDistribution = .init(a: control[0], b: control[1], scale: control[2])
    }
    if let factor = dist_match_cof { settings.rectification = factor }
    return settings
  }
}
