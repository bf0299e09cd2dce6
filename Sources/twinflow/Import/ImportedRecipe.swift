import Foundation
import Recipe
import Training

/// A recipe from a configuration of the published trainer, inclusionAI/TwinFlow's `src/configs`.
///
/// Everything that its trainer does by its code and not by the configuration, such as computing in
/// bf16, is part of the recipe too. What has no counterpart is named in comments.
struct ImportedRecipe {
  /// The lines of the recipe, each with a note.
  private var lines: [(text: String, note: String?)] = []
  /// What has no counterpart, a sentence each.
  private(set) var missing: [String] = []
  private let name: String
  private var reader: ConfigurationReader

  /// Translates a file.
  ///
  /// - Parameter samples: the number of samples in the data, from which epochs become steps; nil where
  ///   it is unknown.
  /// - Throws: `RecipeError` for a file that is not YAML, and `ImportError`.
  init(_ file: String, samples: Int? = nil) throws {
    reader = try ConfigurationReader(file)
    name = URL(fileURLWithPath: file).deletingPathExtension().lastPathComponent
    let isLoRA = try method()
    try data()
    try train(samples: samples)
    if isLoRA { add("base_dtype: bf16", "the published trainer loads the base in bf16") }
    sample()
    missing += reader.rest.map { "\($0.name): \($0.value.yaml) is unknown." }
  }

  /// The recipe.
  var text: String {
    var text = ["# Imported from \(name).yaml, a configuration of the published trainer."]
    if !missing.isEmpty { text.append("# Without a counterpart here:") }
    text += missing.map { "#   \($0)" }
    text += lines.map { line, note in
      guard let note else { return line }
      return line + String(repeating: " ", count: max(2, 40 - line.count)) + "# \(note)"
    }
    return text.joined(separator: "\n") + "\n"
  }

  /// Reads the result back.
  ///
  /// - Throws: `RecipeError` for what has to be changed before it can be run.
  func check() throws {
    _ = try RecipeDecoder.decode(TrainingRecipe.self, yaml: text, file: "the imported recipe")
  }

  private mutating func add(_ text: String, _ note: String? = nil) { lines.append((text, note)) }

  // MARK: - The network and the method

  /// The networks by the names of the published trainer.
  private static let networks = [
    "QwenImage": "qwen_image", "QwenImageEdit": "qwen_image", "SD3_5": "sd3",
  ]

  /// - Returns: whether LoRA is trained.
  private mutating func method() throws -> Bool {
    try model()
    let type = try reader.text("method", "method_type") ?? "TwinFlow"
    if !["TwinFlow", "TwinFlow_LoRA"].contains(type) {
      missing.append("method.method_type: \(type) is none of TwinFlow and TwinFlow_LoRA.")
    }
    if let transport = try reader.text("method", "transport_type"), transport != "Linear" {
      missing.append("method.transport_type: \(transport); paths are linear here.")
    }
    let isLoRA = try lora() || type == "TwinFlow_LoRA"
    let second = try reader.truth("model", "aux_time_embed")
    let order = try reader.whole("method", "estimate_order") ?? 2
    let hasOneTime = type == "TwinFlow_LoRA" || second == false
    add("objective:")
    add("  kind: twinflow")
    // With one time, order 1 needs the group that goes to data in one step, see docs/method.md.
    if order == 0 {
      add("  groups: {multi_step: 1}", "set in the code of the published trainer")
    } else if hasOneTime, order == 1 {
      add(
        "  groups: {end_to_end: 1, multi_step: 1, adversarial: 1, to_data: 1}",
        "set in the code of the published trainer")
    } else {
      add(
        "  groups: {end_to_end: 1, multi_step: 1, any_step: 1, adversarial: 1}",
        "set in the code of the published trainer")
    }
    add("  order: \(order)")
    for (key, own, standard) in [
      ("consistc_ratio", "consistency_ratio", 1.0), ("enhanced_ratio", "enhanced_ratio", 0.5),
      ("dist_match_cof", "rectification", 0.5), ("ema_decay_rate", "target_ema_decay", 0.99),
    ] {
      let value = try reader.number("method", key)
      add(
        "  \(own): \((value ?? standard).yaml)",
        value == nil ? "the default of the published trainer" : nil)
    }
    for (key, own) in [
      ("enhanced_range", "enhanced_range"), ("time_dist_ctrl", "time_distribution"),
    ] {
      guard let values = try reader.numbers("method", key) else { continue }
      add("  \(own): [\(values.map(\.yaml).joined(separator: ", "))]")
    }
    try loss()
    if try reader.truth("method", "use_image_free") == true { add("  data_free: true") }
    if hasOneTime { add("  time_convention: middle") }
    return isLoRA
  }

  private mutating func model() throws {
    let file = try reader.text("model", "type")
    let model = try reader.text("model", "model_name") ?? file ?? ""
    // OpenUni is named by a file of its networks, of which SANA is trained.
    let isOpenUni = model.contains("/openuni/")
    if let kind = isOpenUni ? "sana" : Self.networks[model] {
      add("model: {kind: \(kind), execution: recomputed}")
    } else {
      missing.append(
        "model: \(model.isEmpty ? "none" : model) is no network of this program; name one under "
          + "model.")
    }
    let path = try reader.text("model", "model_path") ?? reader.text("model", "path")
    if let path { add("start: \(ConfigurationTree.text(path).yaml)") }
    if isOpenUni { add("encoders: OpenUni-L-512", "to be set: the folder, see docs/models.md") }
    if let channels = try reader.whole("model", "in_chans") {
      missing.append("model.in_chans: \(channels); channels are those of the weights.")
    }
    isEditing = model == "QwenImageEdit"
  }

  private var isEditing = false

  /// - Returns: whether there are settings of LoRA.
  private mutating func lora() throws -> Bool {
    let rank = try reader.whole("model", "lora_rank")
    let alpha = try reader.number("model", "lora_alpha")
    let layers = try reader.text("model", "lora_target_modules")
    guard let rank else {
      if let alpha { missing.append("model.lora_alpha: \(alpha.yaml) without a lora_rank.") }
      return false
    }
    add("lora:")
    add("  rank: \(rank)")
    // The default of PEFT.
    add("  alpha: \((alpha ?? 8).yaml)", alpha == nil ? "PEFT's default" : nil)
    let names = layers?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } ?? []
    if !names.isEmpty { add("  layers: [\(names.joined(separator: ", "))]") }
    return true
  }

  private mutating func loss() throws {
    guard let value = reader.take("method", "loss_func_type") else {
      return add("  regression_loss: {kind: barron}", "the default of the published trainer")
    }
    guard case .mapping(let pairs) = value,
      case .text(let type)? = pairs.first(where: { $0.key == "type" })?.value
    else {
      missing.append("method.loss_func_type: \(value.yaml) names no type.")
      return
    }
    let kinds = ["l2": "l2", "barron_reweighting": "barron"]
    guard let kind = kinds[type] else {
      missing.append(
        "method.loss_func_type: \(type) is none of \(kinds.keys.sorted().joined(separator: ", ")).")
      return
    }
    var settings = ["kind: \(kind)"]
    for (key, value) in pairs where key != "type" {
      if kind == "barron", ["alpha", "c"].contains(key) {
        settings.append("\(key): \(value.yaml)")
      } else {
        missing.append("method.loss_func_type.\(key): \(value.yaml) is unknown.")
      }
    }
    add("  regression_loss: {\(settings.joined(separator: ", "))}")
  }
}

extension ImportedRecipe {
  // MARK: - Data, training and sampling

  private mutating func data() throws {
    let height = try reader.whole("data", "height") ?? 1024
    let width = try reader.whole("data", "width") ?? 1024
    let folders = try reader.texts("data", "train_dirs") ?? []
    let isDataFree = lines.contains { $0.text == "  data_free: true" }
    add("data:")
    if isDataFree {
      add("  kind: prompts")
      add(
        "  file: prompts.txt", "one prompt a line; the published trainer reads them from its data")
      for folder in folders { missing.append("data.train_dirs: \(folder) is not read.") }
    } else {
      add("  kind: parquet")
      add("  files: \(ConfigurationTree.text(folders.first ?? "data").yaml)")
      add("  image: image_bytes", "set in the code of the published trainer")
      for folder in folders.dropFirst() {
        missing.append("data.train_dirs: \(folder); files are in one folder.")
      }
    }
    add("  size: [\(height), \(width)]")
    if isEditing {
      add("  references: 1")
      add("  reference_size: [\(height), \(width)]")
    }
  }

  private mutating func train(samples: Int?) throws {
    let optimizer = try reader.text("train", "optimizer") ?? "adamw"
    add("optimizer:")
    if OptimizerConfig.Kind(rawValue: optimizer) != nil {
      add("  kind: \(optimizer)")
    } else {
      missing.append("train.optimizer: \(optimizer); adamw takes its place.")
      add("  kind: adamw")
    }
    let rate = try reader.number("train", "lr")
    add("  learning_rate: \((rate ?? 1e-4).yaml)", rate == nil ? "none was given" : nil)
    if let betas = try reader.numbers("train", "betas") {
      add("  betas: [\(betas.map(\.yaml).joined(separator: ", "))]")
    }
    for key in ["weight_decay", "max_grad_norm"] {
      if let value = try reader.number("train", key) { add("  \(key): \(value.yaml)") }
    }
    let rows = try reader.whole("train", "micro_batch_size") ?? 4
    let accumulation = try reader.whole("train", "grad_accumulation_steps") ?? 1
    let batch = rows * accumulation
    add(
      "batch: \(batch)",
      "of one process: multiply it by the number of processes that trained together")
    if accumulation > 1 { add("gradient_accumulation_steps: \(accumulation)") }
    try steps(samples: samples, batch: batch)
    add("precision: bf16", "set in the code of the published trainer")
    if let seed = try reader.whole("train", "seed") { add("seed: \(seed)") }
    let output = try reader.text("train", "output_dir") ?? "out"
    add("output: \(ConfigurationTree.text("\(output)/\(name)").yaml)")
    if let path = try reader.text("train", "load_checkpoint_path") {
      missing.append(
        "train.load_checkpoint_path: \(path); a run of this program continues by --resume.")
    }
  }

  private mutating func steps(samples: Int?, batch: Int) throws {
    let epochs = try reader.whole("train", "num_train_epochs")
    if let epochs, let samples, samples >= batch {
      // The published trainer drops the rows that fill no batch.
      return add("steps: \(epochs * (samples / batch))", "\(epochs) epochs of \(samples) samples")
    }
    add("steps: 1000", "to be set: the number of batches in all epochs")
    if let epochs {
      missing.append(
        "train.num_train_epochs: \(epochs); steps are counted here: give --samples, the number of "
          + "samples in the data.")
    }
  }

  /// Settings of generation are options of its command.
  private mutating func sample() {
    let options = [
      ("sampling_steps", "--steps"), ("sampling_style", "--style"),
      ("stochast_ratio", "--stochastic"), ("cfg_scale", "--guidance"),
    ]
    for (key, option) in options {
      guard let value = reader.take("sample", key) else { continue }
      missing.append("sample.\(key): \(value.yaml) is the option \(option) of twinflow generate.")
    }
    let others = [
      ("ckpt", "a run has one set of weights for generation"),
      ("cfg_interval", "guidance applies to all times"),
      ("extrapol_ratio", "it is the sampler's preset"),
      ("sampling_order", "it is the sampler's preset"),
      ("time_dist_ctrl", "it is the sampler's preset for the number of steps"),
      ("rfba_gap_steps", "it is the sampler's preset for the number of steps"),
    ]
    for (key, reason) in others {
      guard let value = reader.take("sample", key) else { continue }
      missing.append("sample.\(key): \(value.yaml); \(reason).")
    }
  }
}
