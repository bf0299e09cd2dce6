import Foundation
import Recipe
import Testing
import Training

@testable import twinflow

@Suite struct ImportTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A configuration of the published trainer.
  private func configuration(
    model: String = "model_name: QwenImage, aux_time_embed: true, model_path: Qwen-Image",
    method: String = "estimate_order: 2, dist_match_cof: 0.75", train: String = "lr: 1.0e-5",
    sample: String = "sampling_steps: 2",
    data: String = "height: 512, width: 256, train_dirs: [a, b]"
  ) throws -> String {
    try folder.file(
      "tiny.yaml",
      """
      model: {\(model)}
      data: {\(data)}
      method: {method_type: TwinFlow, transport_type: Linear, consistc_ratio: 1.0, \
      enhanced_ratio: 0.8, ema_decay_rate: 0.0, enhanced_range: [0.0, 1.0], \
      time_dist_ctrl: [1.0, 1.0, 1.0], \
      loss_func_type: {"type": "barron_reweighting", "alpha": 1.0}, \(method)}
      sample: {\(sample)}
      train: {output_dir: ../outputs, seed: 42, grad_accumulation_steps: 2, \
      micro_batch_size: 4, num_train_epochs: 3, optimizer: adamw, betas: [0.9, 0.99], \
      weight_decay: 0.0, max_grad_norm: 1.0, \(train)}
      """)
  }

  private func recipe(_ imported: ImportedRecipe) throws -> TrainingRecipe {
    try RecipeDecoder.decode(yaml: imported.text, file: "imported")
  }

  @Test func everySettingArrives() throws {
    let imported = try ImportedRecipe(configuration(), samples: 100)
    let found = try recipe(imported)
    #expect(found.model.kind == "qwen_image" && found.start == "Qwen-Image")
    #expect(found.batch == 8 && found.accumulation == 2 && found.steps == 3 * 12)
    #expect(found.optimizer.learningRate == 1e-5 && found.optimizer.betas == [0.9, 0.99])
    #expect(found.optimizer.maxGradNorm == 1 && found.seed == 42)
    #expect(found.output == "../outputs/tiny")
    let text = imported.text
    for line in [
      "order: 2", "consistency_ratio: 1", "enhanced_ratio: 0.8", "rectification: 0.75",
      "target_ema_decay: 0", "enhanced_range: [0, 1]", "time_distribution: [1, 1, 1]",
      "regression_loss: {kind: barron, alpha: 1}", "size: [512, 256]", "files: a",
    ] {
      #expect(text.contains("  \(line)"), "\(line)")
    }
    #expect(!text.contains("time_convention"))
    #expect(imported.missing.contains { $0.contains("data.train_dirs: b") })
    #expect(imported.missing.contains { $0.contains("sample.sampling_steps: 2") })
  }

  @Test(arguments: [
    ("model_name: SD3_5, aux_time_embed: true, model_path: x", "sd3", nil),
    (
      "type: ./networks/openuni/openuni_l_internvl3_2b_sana_1_6b_512_hf.py, path: x", "sana",
      "OpenUni-L-512"
    ),
  ])
  func networksAreRecognized(_ model: String, _ kind: String, encoders: String?) throws {
    let found = try recipe(ImportedRecipe(configuration(model: model), samples: 100))
    #expect(found.model.kind == kind && found.start == "x" && found.encoders == encoders)
  }

  @Test func loraHasOneTimeAndItsGroups() throws {
    let model =
      "model_name: QwenImage, aux_time_embed: false, model_path: Qwen-Image, lora_rank: 64, "
      + "lora_alpha: 32, lora_target_modules: 'to_k,attn.to_add_out'"
    for (order, group) in [(1, "to_data: 1"), (2, "any_step: 1")] {
      let imported = try ImportedRecipe(
        configuration(model: model, method: "estimate_order: \(order)"))
      let found = try recipe(imported)
      #expect(found.lora?.rank == 64 && found.lora?.alpha == 32)
      #expect(found.lora?.layers == ["to_k", "attn.to_add_out"])
      #expect(found.objective.settings.timeConvention == .middle)
      #expect(imported.text.contains(group))
    }
  }

  @Test(
    arguments: [
      ("model", "model_name: Flux, other: 3", ["Flux", "model.other: 3"]),
      (
        "method", "transport_type_2: Cosine, loss_weight: [1, 2]",
        ["method.transport_type_2: Cosine", "method.loss_weight: [1, 2]"]
      ),
      (
        "train", "optimizer2: lion, ema: {decay: 0.5}",
        ["train.optimizer2: lion", "train.ema: {decay: 0.5}"]
      ),
      ("train", "load_checkpoint_path: old", ["load_checkpoint_path: old"]),
      ("sample", "cfg_scale: 3, new_key: true", ["sample.cfg_scale: 3", "sample.new_key: true"]),
      ("data", "train_dirs: a, shuffle: false", ["data.shuffle: false"]),
    ] as [(String, String, [String])])
  func whatHasNoCounterpartIsNamed(section: String, keys: String, names: [String]) throws {
    let file =
      switch section {
      case "model": try configuration(model: keys)
      case "method": try configuration(method: keys)
      case "train": try configuration(train: keys)
      case "sample": try configuration(sample: keys)
      default: try configuration(data: keys)
      }
    let imported = try ImportedRecipe(file)
    for name in names {
      #expect(imported.missing.contains { $0.contains(name) }, "\(name): \(imported.missing)")
      #expect(imported.text.contains(name))
    }
  }

  @Test func anUnknownNetworkLeavesARecipeThatSaysSo() throws {
    let result = try Command.run(
      "recipe", "import", configuration(model: "model_name: Flux, model_path: x"))
    #expect(result.status == 0 && result.output.contains("Flux"))
    #expect(result.errors.contains("the key `model` is missing"))
  }

  @Test(
    arguments: [
      ("model: {a: 1}", "no section `method`"), ("- 1", "no section `method`"),
      ("method: {estimate_order: two}", "`method.estimate_order` is the text \"two\""),
      ("method: {enhanced_range: 3}", "`method.enhanced_range` is 3: a list"),
      ("method: [", "not valid YAML"),
    ])
  func whatIsNoConfigurationIsAnError(yaml: String, text: String) throws {
    let result = try Command.run("recipe", "import", folder.file("bad.yaml", yaml))
    #expect(result.status != 0 && result.errors.contains(text), "\(result.errors)")
  }
}
