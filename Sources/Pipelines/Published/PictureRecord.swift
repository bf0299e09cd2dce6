import Files
import Flow
import Foundation
import Models
import Weights

/// Everything that is needed to make a picture again, as PNG files hold it under `twinflow`.
public struct PictureRecord: Codable, Hashable, Sendable {
  /// The version of the program.
  public var version: String
  /// The model's folder or name.
  public var model: String
  /// The components that do not come from that folder, by their names in `model_index.json`.
  public var replaced: [String: String]
  /// The hashes of the weights by component.
  public var hashes: [String: String]
  /// The LoRA files.
  public var loras: [LoRARecord]
  /// The reference images.
  public var images: [InputFile]
  /// The prompt.
  public var prompt: String
  /// What guidance leads away from; absent without guidance.
  public var negative: String?
  /// The scale of guidance; absent without.
  public var guidance: Double?
  /// The guidance by skipped blocks; absent without.
  public var skipping: LayerSkipping?
  /// Whether Stable Diffusion 3 left out its T5; absent where it did not.
  public var leavesOutT5: Bool?
  /// The seed of the noise.
  public var seed: UInt64
  /// The width in pixels.
  public var width: Int
  /// The height in pixels.
  public var height: Int
  /// The number of steps.
  public var steps: Int
  /// The sampler, for networks with target times.
  public var sampler: SamplerSettings?
  /// The scheduler, for other networks.
  public var scheduler: Scheduler?
  /// The shift of times that was requested.
  public var shift: Double?
  /// The element type that networks computed in.
  public var precision: Precision
  /// How the transformer's weights were kept.
  public var weights: BaseDType
  /// How the text encoder's weights were kept.
  public var encoderWeights: BaseDType
  /// The kind of device.
  public var device: String

  /// A file that a picture was made with.
  public struct InputFile: Codable, Hashable, Sendable {
    /// Its path.
    public var path: String
    /// The hash of its content.
    public var hash: String

    /// Describes a file.
    ///
    /// - Throws: `FileError.unreadable`.
    public init(_ path: String, _ cache: HashCache) throws {
      self.path = path
      hash = try Self.hash(of: path, cache)
    }

    /// The hash of a file, or of the weights in a folder.
    private static func hash(of path: String, _ cache: HashCache) throws -> String {
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
        isFolder.boolValue
      else { return try cache.hash(of: path) }
      return try cache.hash(ofAll: WeightFiles(path: path).paths)
    }

    /// Checks that the file is still the same.
    ///
    /// - Throws: `PipelineError.changedInput`, and `FileError.unreadable`.
    public func check(_ cache: HashCache) throws {
      let found = try Self.hash(of: path, cache)
      guard found == hash else {
        throw PipelineError.changedInput(path: path, expected: hash, found: found)
      }
    }
  }

  /// A LoRA file and its scale.
  public struct LoRARecord: Codable, Hashable, Sendable {
    /// The file.
    public var file: InputFile
    /// The factor on its changes.
    public var scale: Double

    /// Describes a use.
    public init(_ file: InputFile, scale: Double) { (self.file, self.scale) = (file, scale) }
  }

  /// The key in PNG files.
  public static let key = "twinflow"

  /// The text under `parameters`, as tools for AUTOMATIC1111's web interface read it.
  public var parameters: String {
    var lines = [prompt]
    if let negative { lines.append("Negative prompt: \(negative)") }
    var pairs = [("Steps", "\(steps)")]
    pairs.append(
      ("Sampler", sampler.map { "TwinFlow \($0.style.rawValue)" } ?? "Euler"))
    pairs.append(("CFG scale", guidance.map { "\($0)" } ?? "1.0"))
    pairs.append(("Seed", "\(seed)"))
    pairs.append(("Size", "\(width)x\(height)"))
    if let hash = hashes["transformer"] { pairs.append(("Model hash", String(hash.prefix(10)))) }
    let name = replaced["transformer"] ?? model
    pairs.append(
      ("Model", URL(fileURLWithPath: name).deletingPathExtension().lastPathComponent))
    if !loras.isEmpty {
      let hashes = loras.map { use in
        let name = URL(fileURLWithPath: use.file.path).deletingPathExtension().lastPathComponent
        return "\(name): \(use.file.hash.prefix(12))"
      }
      pairs.append(("Lora hashes", "\"\(hashes.joined(separator: ", "))\""))
    }
    pairs.append(("Version", "twinflow \(version)"))
    lines.append(pairs.map { "\($0.0): \($0.1)" }.joined(separator: ", "))
    return lines.joined(separator: "\n")
  }

  /// The text chunks of a PNG file.
  public func texts() throws -> [(key: String, text: String)] {
    [
      (key: "Software", text: "twinflow \(version)"), (key: "parameters", text: parameters),
      (key: Self.key, text: try JSONFile.text(self)),
    ]
  }
}

extension PictureRecord {
  /// Reads the text of a PNG file.
  ///
  /// - Throws: `PipelineError.noRecord` with what is wrong.
  public init(_ text: String, path: String) throws {
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(text.utf8))
    } catch {
      throw PipelineError.noRecord(path: path, reason: "its text is of another version")
    }
  }
}

extension ImagePipeline {
  /// What repeats a picture that this pipeline makes.
  ///
  /// - Parameter cache: the hashes of files.
  /// - Throws: `FileError.unreadable`.
  public func record(
    of request: ResolvedRequest, requested: ImageRequest, model: String,
    images: [PictureRecord.InputFile] = [],
    _ cache: HashCache = HashCache()
  ) throws -> PictureRecord {
    var sampler: SamplerSettings?
    var scheduler: Scheduler?
    switch request.schedule {
    case .anyStep(let settings): sampler = settings
    case .scheduled(let used, _): scheduler = used
    }
    var replaced: [String: String] = [:]
    replaced["transformer"] = replacements.transformer
    replaced["vae"] = replacements.vae
    replaced["text_encoder"] = replacements.textEncoder
    replaced["connector"] = replacements.connector
    let loras = try replacements.loras.map { use in
      PictureRecord.LoRARecord(
        try PictureRecord.InputFile(use.path, cache), scale: use.scale)
    }
    return PictureRecord(
      version: programVersion, model: model, replaced: replaced, hashes: try hashes(cache),
      loras: loras, images: images, prompt: request.prompt, negative: request.negative,
      guidance: request.guidance, skipping: request.skipping,
      leavesOutT5: options.usesT5 ? nil : true, seed: request.seed, width: request.size.width,
      height: request.size.height, steps: requested.steps ?? request.schedule.count,
      sampler: sampler, scheduler: scheduler, shift: requested.shift,
      precision: options.compute, weights: options.transformerStorage,
      encoderWeights: options.encoderStorage, device: engine.client.platformName)
  }

  /// The hashes of the weights by component.
  ///
  /// - Throws: `FileError.unreadable`.
  public func hashes(_ cache: HashCache = HashCache()) throws -> [String: String] {
    let components = [
      "text_encoder": encoder.component, "transformer": transformer.component,
      "vae": codec.component,
    ]
    return try components.compactMapValues { component in
      // Classes have no encoder.
      guard let files = component?.files, !files.isEmpty else { return nil }
      return try cache.hash(ofAll: files)
    }
  }
}

extension ImagePipeline {
  /// All files of weights that are read.
  public var inputFiles: [String] {
    encoder.component.files + transformer.component.files + (codec.component?.files ?? [])
      + (encoder.vision?.component.files ?? [])
  }
}

extension PictureRecord {
  /// Whether this record and another one describe the same picture: all that it depends on is the same.
  /// Versions of the program, devices and the paths of files are not compared.
  public func makesSame(as other: PictureRecord) -> Bool {
    /// The record with the hashes of files in place of their paths.
    func settled(_ record: PictureRecord) -> PictureRecord {
      var settled = record
      (settled.version, settled.model, settled.replaced, settled.device) = ("", "", [:], "")
      for place in settled.loras.indices { settled.loras[place].file.path = "" }
      for place in settled.images.indices { settled.images[place].path = "" }
      return settled
    }
    return settled(self) == settled(other)
  }
}
