import Foundation
import Models
import Pictures

/// A request of AUTOMATIC1111's API.
struct WebUIFields: Sendable {
  /// The pictures.
  var pictures = PictureFields()

  /// Reads a request.
  ///
  /// - Throws: `APIError` that names the parameter that is wrong.
  init(
    _ given: RequestParameters, _ limits: ServerLimits, editing: Bool
  ) throws(APIError) {
    pictures.prompt = try given.requiredString("prompt", atMost: limits.promptLength)
    let negative = try given.string("negative_prompt", atMost: limits.promptLength)
    pictures.negative = negative.flatMap { $0.isEmpty ? nil : $0 }
    pictures.steps = try given.integer("steps", in: 1...limits.steps)
    pictures.guidance = try given.number("cfg_scale", in: 0...100)
    // Clients send these with every request, whatever the model.
    pictures.guidanceIsLenient = true
    let seed = try given.integer("seed", in: -1...Int.max) ?? -1
    pictures.seed = seed < 0 ? nil : UInt64(seed)
    let batch = try given.integer("batch_size", in: 1...limits.pictures) ?? 1
    let rounds = try given.integer("n_iter", in: 1...limits.pictures) ?? 1
    guard batch * rounds <= limits.pictures else {
      throw .invalid(
        "batch_size and n_iter ask for \(batch * rounds) pictures, and at most \(limits.pictures) "
          + "were expected.",
        param: "n_iter", code: "integer_above_max_value")
    }
    pictures.count = batch * rounds
    let width = try given.integer("width", in: 1...8192)
    let height = try given.integer("height", in: 1...8192)
    if let side = width ?? height {
      let size = ImageSize(height: height ?? side, width: width ?? side)
      guard size.height * size.width <= limits.pixels else {
        throw .invalid(
          "The size is \(size.description), and at most \(limits.pixels) pixels were expected.",
          param: "width", code: "invalid_value")
      }
      pictures.size = size
    }
    let override = try given.object("override_settings")
    pictures.model = try override?.string("sd_model_checkpoint", atMost: 1000)
    if editing { try readImages(given, limits) }
  }

  private mutating func readImages(
    _ given: RequestParameters, _ limits: ServerLimits
  ) throws(APIError) {
    let images =
      try given.strings(
        "init_images", atMost: limits.images, each: limits.uploadBytes) ?? []
    guard !images.isEmpty else { throw .missing("init_images") }
    for (number, text) in images.enumerated() {
      pictures.images.append(
        try UploadedImage(base64: text, param: "init_images[\(number)]").image(limits))
    }
    if let text = try given.string("mask", atMost: limits.uploadBytes), !text.isEmpty {
      pictures.mask = try UploadedImage(base64: text, param: "mask").whiteMask(limits)
    }
    pictures.strength = max(0.01, try given.number("denoising_strength", in: 0...1) ?? 0.75)
  }
}
