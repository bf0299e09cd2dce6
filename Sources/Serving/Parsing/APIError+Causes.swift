import PJRT
import Pictures
import Pipelines
import Runtime

extension APIError {
  /// The answer to an error of any kind.
  ///
  /// Messages that name files, options of the command line or the inside of the server become `failed`;
  /// the server logs them.
  ///
  /// - Parameter param: the parameter with which the error came up, where the error does not say it.
  init(_ error: any Error, param: String? = nil) {
    switch error {
    case let error as APIError: self = error
    case let error as MultipartError:
      self = .invalid(error.description, code: "invalid_multipart_form")
    case let error as PictureError: self.init(error, param: param)
    case let error as PipelineError: self.init(error)
    case _ where Self.isOutOfMemory(error): self = .outOfMemory
    case is CancellationError: self = .stopping
    default: self = .failed
    }
  }

  /// Whether an error says that the device's memory is exhausted.
  static func isOutOfMemory(_ error: any Error) -> Bool {
    switch error {
    case RuntimeError.outOfMemory, PJRTError.failure(.resourceExhausted, _, _): true
    default: false
    }
  }

  /// A picture that does not fit into the device's memory.
  static let outOfMemory = unavailable(
    "The picture does not fit into the server's memory. Ask for a smaller size or fewer pictures.",
    code: "out_of_memory")

  /// The answer to a picture of the client's that cannot be read or written.
  private init(_ error: PictureError, param: String?) {
    let code =
      switch error {
      case .damaged: "invalid_image"
      case .otherFormat: "invalid_image_format"
      case .tooLarge, .tooManyPixels: "image_too_large"
      case .unencodable: "unsupported_image_size"
      case .impossibleChannels, .impossiblePage: String?.none
      }
    self = code.map { .invalid(error.description, param: param, code: $0) } ?? .failed
  }

  /// The answer to an error of generation.
  private init(_ error: PipelineError) {
    switch error {
    case .emptyPrompt:
      self = .invalid(error.description, param: "prompt", code: "empty_string")
    case .unknownClass(_, let classes, _):
      self = .invalid(
        "The model draws classes, and the prompt is none of them. Name a class from 0 to "
          + "\(classes - 1).",
        param: "prompt", code: "invalid_value")
    case .wrongSize:
      self = .invalid(error.description, param: "size", code: "invalid_value")
    case .tooNarrow:
      self = .invalid(error.description, param: "image", code: "invalid_image")
    case .wrongReferences(_, let found, let expected):
      self = .invalid(Self.references(found, expected), param: "image", code: "invalid_value")
    case .guidanceInWeights(_, let scale):
      self = .invalid(
        "Guidance of \(scale) was requested, and this model was trained with guidance in its "
          + "weights. Leave out guidance_scale.",
        param: "guidance_scale", code: "invalid_value")
    case .negativeWithoutGuidance(let start):
      self = .invalid(
        "A negative prompt was given, and only guidance uses one. Give guidance_scale above "
          + "\(start), or leave out negative_prompt.",
        param: "negative_prompt", code: "invalid_value")
    case .noTargetTimes:
      self = .invalid(
        "This model has no target times, so it takes only Euler steps. Leave out twinflow_style.",
        param: "twinflow_style", code: "invalid_value")
    case .shiftOfAnyStep:
      self = .invalid(
        "A shift was requested, and models with target times have a sampler of their own. "
          + "Leave out shift.",
        param: "shift", code: "invalid_value")
    case .imagesNotFinite(_, let guidance):
      let advice = guidance == 0 ? "" : " Try it without guidance."
      self.init(
        status: 500, kind: .server, message: "The picture's pixels are not finite.\(advice)",
        code: "image_not_finite")
    case .tooLarge: self = .outOfMemory
    default: self = .failed
    }
  }

  private static func references(_ found: Int, _ expected: ClosedRange<Int>) -> String {
    guard expected.upperBound > 0 else {
      return "This model edits no images, and \(found) \(found == 1 ? "was" : "were") given. Use "
        + "/v1/images/generations, or a model for editing."
    }
    let range =
      expected.count == 1
      ? "\(expected.lowerBound)" : "\(expected.lowerBound) to \(expected.upperBound)"
    return "This model edits \(range) image\(expected.upperBound == 1 ? "" : "s"), and \(found) "
      + "\(found == 1 ? "was" : "were") given."
  }
}
