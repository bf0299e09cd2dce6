import Flow
import Models
import Pictures

/// What a request asks for, in the terms of every interface of the server.
struct PictureFields: Sendable {
  /// The name of the model; nil for the default one.
  var model: String?
  /// What the pictures show.
  var prompt = ""
  /// What guidance leads away from; nil for the model's default.
  var negative: String?
  /// The number of pictures.
  var count = 1
  /// The size that the pictures have in the end; nil for the model's own.
  var size: ImageSize?
  /// The seed of the first picture, the others follow; nil for a random one.
  var seed: UInt64?
  /// The number of steps; nil for the model's default.
  var steps: Int?
  /// The scale of guidance; nil for the model's default.
  var guidance: Double?
  /// Whether the scale counts from 1, which is none, and what the model has no use for is left out: a
  /// scale and a negative prompt for weights that hold their guidance.
  var guidanceIsLenient = false
  /// The target times of each step; nil for those of the preset of the number of steps.
  var style: SamplerSettings.Style?
  /// The LoRA, by name and scale.
  var loras: [ServedModelKey.LoRA] = []
  /// Images to edit.
  var images: [RGBImage] = []
  /// Where the pictures may differ from the first image, of its size: 1 for fully; nil for everywhere.
  var mask: MaskImage?
  /// How much of the image is replaced, for models that do not take images themselves.
  var strength = 0.75
  /// The number of previews of each picture.
  var previews = 0

  /// A mask of an image.
  struct MaskImage: Sendable {
    /// Its width in pixels.
    let width: Int
    /// Its height in pixels.
    let height: Int
    /// From 0 to 1 for each pixel, row by row.
    let values: [Float]
  }
}
