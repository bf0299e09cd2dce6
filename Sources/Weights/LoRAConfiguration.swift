import Files
import Foundation

/// What PEFT's `adapter_config.json`, or the metadata that diffusers writes in its place, say of the
/// scales of LoRA.
struct LoRAConfiguration {
  private let rank: Int
  private let alpha: Double
  private let ranks: [Pattern]
  private let alphas: [Pattern]
  /// Whether the scale is alpha / √rank: Kalajdzievski, "A rank stabilization scaling factor for
  /// fine-tuning with LoRA", 2023.
  private let isRankStabilized: Bool

  /// A number for the modules that a regular expression matches.
  private struct Pattern {
    let module: Regex<AnyRegexOutput>
    let number: Double
  }

  /// The name of PEFT's file beside the weights.
  static let fileName = "adapter_config.json"
  /// The key of diffusers' metadata.
  static let metadataKey = "lora_adapter_metadata"

  /// Reads PEFT's file beside the weights; nil where there is none.
  static func beside(_ path: String) throws -> LoRAConfiguration? {
    let place = (path as NSString).deletingLastPathComponent
    let config = place.isEmpty ? fileName : "\(place)/\(fileName)"
    guard FileManager.default.fileExists(atPath: config) else { return nil }
    let file = try MappedFile(config)
    return try withExtendedLifetime(file) {
      try make(Array(file.bytes), path: config) { "\($0)" }
    }
  }

  /// Reads diffusers' metadata; nil where they say nothing of a transformer.
  static func inMetadata(_ text: String, path: String) throws -> LoRAConfiguration? {
    for prefix in ["transformer.", "unet.", ""] where text.contains("\"\(prefix)r\"") {
      return try make(Array(text.utf8), path: path) { prefix + $0 }
    }
    return nil
  }

  private static func make(
    _ json: [UInt8], path: String, key: (String) -> String
  ) throws -> LoRAConfiguration {
    do {
      let what = path.hasSuffix(fileName) ? "it" : "its \(metadataKey)"
      return try LoRAConfiguration(JSONValues.object(json, what: what), key: key)
    } catch {
      throw WeightsError.unsupportedLoRA(path: path, reason: error.reason)
    }
  }

  private init(_ fields: [String: Any], key: (String) -> String) throws(JSONFault) {
    func number(_ name: String) throws(JSONFault) -> Double {
      let value = fields[key(name)] ?? NSNull()
      guard let number = Self.number(value) else {
        throw JSONFault(reason: "\(key(name)) is \(JSONValues.kind(value)), a number is expected")
      }
      return number
    }
    func patterns(_ name: String) throws(JSONFault) -> [Pattern] {
      let value = fields[key(name)] ?? NSNull()
      if value is NSNull { return [] }
      guard let entries = value as? [String: Any] else {
        throw JSONFault(reason: "\(key(name)) is \(JSONValues.kind(value)), an object is expected")
      }
      var patterns: [Pattern] = []
      for (module, value) in entries.sorted(by: { $0.key < $1.key }) {
        guard let number = Self.number(value), let regex = try? Regex("(.*\\.)?(\(module))") else {
          throw JSONFault(
            reason: "\(key(name)) has \(JSONValues.kind(value)) for \(module), a number for an "
              + "expression is expected")
        }
        patterns.append(Pattern(module: regex, number: number))
      }
      return patterns
    }
    func flag(_ name: String) -> Bool { (fields[key(name)] as? NSNumber)?.boolValue ?? false }
    if let kind = fields[key("peft_type")] as? String, kind != "LORA" {
      throw JSONFault(reason: "its peft_type is \(kind), not LORA")
    }
    let changed = ["use_dora", "use_qalora", "use_bdlora", "lora_bias", "fan_in_fan_out"]
    if let name = changed.first(where: flag) { throw JSONFault(reason: "\(key(name)) is true") }
    rank = JSONValues.whole(fields[key("r")] ?? NSNull()) ?? 0
    guard rank > 0 else { throw JSONFault(reason: "\(key("r")) is no whole number above 0") }
    alpha = try number("lora_alpha")
    ranks = try patterns("rank_pattern")
    alphas = try patterns("alpha_pattern")
    isRankStabilized = flag("use_rslora")
  }

  private static func number(_ value: Any) -> Double? {
    guard let number = value as? NSNumber, JSONValues.kind(value).hasPrefix("the number"),
      number.doubleValue.isFinite
    else { return nil }
    return number.doubleValue
  }

  /// The rank of a module, by its name with the prefixes of training programs.
  func rank(of module: String) -> Int {
    Self.first(ranks, module).map { Int(exactly: $0) ?? 0 } ?? rank
  }

  /// The alpha of a module.
  func alpha(of module: String) -> Double { Self.first(alphas, module) ?? alpha }

  /// The factor of a module's product.
  func scale(of module: String) -> Double {
    let rank = Double(rank(of: module))
    return alpha(of: module) / (isRankStabilized ? rank.squareRoot() : rank)
  }

  private static func first(_ patterns: [Pattern], _ module: String) -> Double? {
    patterns.first { (try? $0.module.wholeMatch(in: module)) ?? nil != nil }?.number
  }
}
