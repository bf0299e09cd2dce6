import Flow
import Tensors
import TestSupport
import Testing

/// The objective for small networks against the published tutorial, step by step.
@Suite struct TutorialGoldenTests {
  static let cases = [
    "utf0_o2_enr0.8_ema0.99_3steps", "utf1_o1_enr0.0_ema0", "utf1_o2_enr0.8_ema0",
    "utf1_o2_enr0.8_ema0.99_3steps",
  ]

  @Test(arguments: cases) func equalsThePublishedStep(_ name: String) throws {
    let golden = try Golden("method_tutorial__\(name)")
    let method = try #require(golden.config.method)
    var settings = TutorialSettings()
    settings.order = method.estimate_order
    settings.enhancedRatio = method.enhanced_ratio
    settings.averageRate = method.ema_decay_rate
    settings.twin = method.using_twinflow == true
    let objective = TutorialTwinFlow(settings)
    let rate = objective.averageRate
    var step = try GoldenStep(golden, averageRate: rate) { networks, batch, draws in
      let noise = draws["z"]!
      return objective(
        networks, batch,
        TutorialTwinFlow.Draws(
          time: draws["t_rand"]!, target: draws["tt_rand"]!, noise: noise,
          rectificationNoise: draws["dm_z"] ?? noise,
          rectificationTime: draws["dm_t_rand"] ?? draws["t_rand"]!))
    }

    for i in 0..<golden.config.steps! {
      let results = try step(i)
      let details = results.group("details")
      var checked: [String] = []
      func expect(_ name: String, _ detail: String, relative: Double = 1e-5) {
        checked.append(name)
        golden.expect(details[detail]!, "step\(i).\(name)", relative: relative)
      }
      expect("x_t", "x_t")
      expect("t", "t")
      expect("tt", "tt")
      expect("target_flow", "flow")
      expect("rcgm0.target_in", "enhanced")
      expect("rcgm0.target_out", "regression", relative: 2e-4)
      expect("loss0.pred", "velocity")
      expect("loss0.target", "regression", relative: 2e-4)
      expect("loss0.per_sample", "per_sample.any_step", relative: 2e-4)
      if settings.twin {
        expect("loss1.pred", "velocity.multi_step")
        expect("loss1.target", "enhanced")
        expect("loss1.per_sample", "per_sample.multi_step")
        expect("loss2.pred", "velocity.adversarial")
        expect("loss2.target", "flow.adversarial")
        expect("loss2.per_sample", "per_sample.adversarial")
        expect("dm.F_grad", "difference")
        expect("loss3.pred", "velocity.end_to_end")
        expect("loss3.target", "rectified")
        expect("loss3.per_sample", "per_sample.rectification")
        expect("rcgm1.target_in", "enhanced")
        expect("rcgm1.target_out", "end_to_end", relative: 2e-4)
        expect("loss4.pred", "velocity.end_to_end")
        expect("loss4.target", "end_to_end", relative: 2e-4)
        expect("loss4.per_sample", "per_sample.end_to_end", relative: 2e-4)
      }
      let averaged = settings.averageRate > 0
      step.expectUpdate(results, i, averaged: averaged)
      if averaged { golden.expect(results["decay"]!, "step\(i).ema_decay_after") }
      #expect(
        step.unchecked(i, checked) == [], "\(name): outputs that nothing was compared with")
    }
  }
}
