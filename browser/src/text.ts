// Every text of the page, in five languages. What the served page says too comes from the package (web/text.py).

import { SHARED_TEXT } from "./constants";

type Shared = (typeof SHARED_TEXT)["en"];

interface Own {
  readonly subtitle: string;
  readonly privacy: string;
  readonly choose: string;
  readonly paint: string;
  readonly painting: string;
  readonly timeLeft: string;
  readonly done: string;
  readonly split: string;
  readonly precision: string;
  readonly exact: string;
  readonly fast: string;
  readonly save: string;
  readonly saveAsPhoto: string;
  readonly savePng: string;
  readonly camera: string;
  readonly cameraStop: string;
  readonly cameraShot: string;
  readonly noCamera: string;
  readonly memory: string;
  readonly failed: string;
  readonly offline: string;
  readonly language: string;
  readonly nonCommercial: string;
}

export type Words = Shared & Own;
export type Language = "en" | "zh" | "ja" | "es" | "de";

export const NAMES: Readonly<Record<Language, string>> = {
  en: "English",
  zh: "中文",
  ja: "日本語",
  es: "Español",
  de: "Deutsch",
};

const en: Own = {
  subtitle: "Your photo as anime, painted on your own device.",
  privacy: "Nothing is uploaded: the photo never leaves this device. After the first visit it works without a network.",
  choose: "Choose a photo, drop one here, or paste one",
  paint: "Paint",
  painting: "Painting…",
  timeLeft: "about {seconds} s left",
  done: "{width} × {height} pixels, {seconds} s",
  split: "Before and after",
  precision: "Precision",
  exact: "exact (32 bits)",
  fast: "faster (8 bits)",
  save: "Save as",
  saveAsPhoto: "like the photo",
  savePng: "PNG, without loss",
  camera: "Camera",
  cameraStop: "Stop the camera",
  cameraShot: "Take the photo",
  noCamera: "The camera cannot be used. Allow it in the browser's settings, or choose a photo.",
  memory: "There is not enough memory for this photo here. Give a smaller one.",
  failed: "This one could not be painted. Try another photo or another style.",
  offline: "Ready to work offline.",
  language: "Language",
  nonCommercial: "non-commercial use only",
};

const zh: Own = {
  subtitle: "在您自己的设备上，把照片画成动漫画面。",
  privacy: "不会上传任何内容：照片不会离开本设备。首次访问后，无需网络也能使用。",
  choose: "选择照片，拖到这里，或直接粘贴",
  paint: "开始绘制",
  painting: "正在绘制…",
  timeLeft: "约剩 {seconds} 秒",
  done: "{width} × {height} 像素，{seconds} 秒",
  split: "原图与结果",
  precision: "精度",
  exact: "精确（32 位）",
  fast: "更快（8 位）",
  save: "保存格式",
  saveAsPhoto: "与照片相同",
  savePng: "PNG（无损）",
  camera: "摄像头",
  cameraStop: "关闭摄像头",
  cameraShot: "拍照",
  noCamera: "无法使用摄像头。请在浏览器设置中允许，或选择一张照片。",
  memory: "内存不足，无法绘制这张照片，请换一张较小的。",
  failed: "无法绘制这张照片，请换一张照片或风格。",
  offline: "已可离线使用。",
  language: "语言",
  nonCommercial: "仅限非商业用途",
};

const ja: Words = {
  title: "photo2anime 写真をアニメに",
  subtitle: "写真をアニメの絵に。すべてこの端末で描きます。",
  privacy: "アップロードはしません。写真はこの端末から出ません。一度開けば、ネットワークなしでも使えます。",
  choose: "写真を選ぶ、ここにドロップする、または貼り付ける",
  paint: "描く",
  painting: "描いています…",
  timeLeft: "残り約 {seconds} 秒",
  done: "{width} × {height} ピクセル、{seconds} 秒",
  split: "元の写真と結果",
  precision: "精度",
  exact: "正確（32 ビット）",
  fast: "速い（8 ビット）",
  save: "保存形式",
  saveAsPhoto: "写真と同じ",
  savePng: "PNG（無劣化）",
  camera: "カメラ",
  cameraStop: "カメラを止める",
  cameraShot: "撮影する",
  noCamera: "カメラを使えません。ブラウザーの設定で許可するか、写真を選んでください。",
  memory: "この写真にはメモリが足りません。小さい写真を選んでください。",
  failed: "描けませんでした。別の写真かスタイルを試してください。",
  offline: "オフラインで使えます。",
  language: "言語",
  nonCommercial: "非商用のみ",
  your_photo: "あなたの写真",
  style: "スタイル",
  more: "その他",
  strength: "強さ",
  strength_info: "1 で完全なスタイル、0 で元の写真",
  keep_color: "写真の色を保つ",
  keep_color_info: "描き方だけが変わります",
  faces: "顔",
  faces_info: "ポートレート用のスタイルで描きます",
  faces_auto: "自動",
  faces_off: "ほかと同じ",
  faces_v1: "バージョン 1（▲ 様式化、▼ 安定性）",
  faces_v2: "バージョン 2（▲ 安定性、▼ 様式化）",
  lines: "線",
  lines_info: "絵の中での線の太さ",
  lines_fine: "細い",
  lines_medium: "中くらい",
  lines_broad: "太い",
  result: "前 | 後",
  download: "ダウンロード",
  cancel: "中止",
  cancelled: "中止しました。",
  no_photo: "まず写真を選んでください。",
  not_a_picture: "このファイルは画像として読めません。JPEG、PNG、WebP などを選んでください。",
  portrait_v1: "ポートレート 1（▲ 様式化、▼ 安定性）",
  portrait_v2: "ポートレート 2（▲ 安定性、▼ 様式化）",
};

const es: Words = {
  title: "photo2anime",
  subtitle: "Tu foto como anime, pintada en tu propio dispositivo.",
  privacy: "No se sube nada: la foto no sale de este dispositivo. Tras la primera visita funciona sin red.",
  choose: "Elige una foto, suéltala aquí o pégala",
  paint: "Pintar",
  painting: "Pintando…",
  timeLeft: "faltan unos {seconds} s",
  done: "{width} × {height} píxeles, {seconds} s",
  split: "Antes y después",
  precision: "Precisión",
  exact: "exacta (32 bits)",
  fast: "más rápida (8 bits)",
  save: "Guardar como",
  saveAsPhoto: "igual que la foto",
  savePng: "PNG, sin pérdida",
  camera: "Cámara",
  cameraStop: "Apagar la cámara",
  cameraShot: "Hacer la foto",
  noCamera: "No se puede usar la cámara. Permítela en los ajustes del navegador o elige una foto.",
  memory: "No hay memoria suficiente para esta foto. Elige una más pequeña.",
  failed: "No se ha podido pintar. Prueba con otra foto u otro estilo.",
  offline: "Listo para funcionar sin red.",
  language: "Idioma",
  nonCommercial: "solo para uso no comercial",
  your_photo: "Tu foto",
  style: "Estilo",
  more: "Más",
  strength: "Intensidad",
  strength_info: "1 es el estilo completo, 0 la foto",
  keep_color: "Conservar los colores de la foto",
  keep_color_info: "Solo cambia el dibujo",
  faces: "Caras",
  faces_info: "Pintadas con los estilos de retrato",
  faces_auto: "automático",
  faces_off: "como el resto",
  faces_v1: "versión 1 (▲ estilización, ▼ robustez)",
  faces_v2: "versión 2 (▲ robustez, ▼ estilización)",
  lines: "Líneas",
  lines_info: "Su grosor en la imagen",
  lines_fine: "finas",
  lines_medium: "medias",
  lines_broad: "gruesas",
  result: "Antes | después",
  download: "Descargar",
  cancel: "Cancelar",
  cancelled: "Cancelado.",
  no_photo: "Primero elige una foto.",
  not_a_picture: "Este archivo no es una imagen que se pueda leer. Usa JPEG, PNG o WebP.",
  portrait_v1: "Retrato, versión 1 (▲ estilización, ▼ robustez)",
  portrait_v2: "Retrato, versión 2 (▲ robustez, ▼ estilización)",
};

const de: Words = {
  title: "photo2anime",
  subtitle: "Dein Foto als Anime, auf deinem eigenen Gerät gemalt.",
  privacy: "Nichts wird hochgeladen: Das Foto verlässt dieses Gerät nicht. Nach dem ersten Besuch geht es ohne Netz.",
  choose: "Foto auswählen, hierher ziehen oder einfügen",
  paint: "Malen",
  painting: "Wird gemalt …",
  timeLeft: "noch etwa {seconds} s",
  done: "{width} × {height} Pixel, {seconds} s",
  split: "Vorher und nachher",
  precision: "Genauigkeit",
  exact: "genau (32 Bit)",
  fast: "schneller (8 Bit)",
  save: "Speichern als",
  saveAsPhoto: "wie das Foto",
  savePng: "PNG, verlustfrei",
  camera: "Kamera",
  cameraStop: "Kamera ausschalten",
  cameraShot: "Foto aufnehmen",
  noCamera: "Die Kamera ist nicht verfügbar. Erlaube sie im Browser, oder wähle ein Foto.",
  memory: "Der Speicher reicht für dieses Foto nicht. Nimm ein kleineres.",
  failed: "Das ließ sich nicht malen. Versuche ein anderes Foto oder einen anderen Stil.",
  offline: "Bereit für den Betrieb ohne Netz.",
  language: "Sprache",
  nonCommercial: "nur nichtkommerziell",
  your_photo: "Dein Foto",
  style: "Stil",
  more: "Mehr",
  strength: "Stärke",
  strength_info: "1 ist der volle Stil, 0 das Foto",
  keep_color: "Farben des Fotos behalten",
  keep_color_info: "Nur die Zeichnung ändert sich",
  faces: "Gesichter",
  faces_info: "Gemalt von den Porträtstilen",
  faces_auto: "automatisch",
  faces_off: "wie der Rest",
  faces_v1: "Version 1 (▲ Stilisierung, ▼ Robustheit)",
  faces_v2: "Version 2 (▲ Robustheit, ▼ Stilisierung)",
  lines: "Linien",
  lines_info: "Wie dick sie im Bild sind",
  lines_fine: "fein",
  lines_medium: "mittel",
  lines_broad: "breit",
  result: "Vorher | nachher",
  download: "Herunterladen",
  cancel: "Abbrechen",
  cancelled: "Abgebrochen.",
  no_photo: "Wähle zuerst ein Foto.",
  not_a_picture: "Diese Datei ist kein lesbares Bild. Nimm JPEG, PNG oder WebP.",
  portrait_v1: "Porträt, Version 1 (▲ Stilisierung, ▼ Robustheit)",
  portrait_v2: "Porträt, Version 2 (▲ Robustheit, ▼ Stilisierung)",
};

const TEXTS: Readonly<Record<Language, Words>> = {
  en: { ...SHARED_TEXT.en, ...en },
  zh: { ...SHARED_TEXT.zh, ...zh },
  ja,
  es,
  de,
};

export function wordsOf(language: Language): Words {
  return TEXTS[language];
}

/** The visitor's language if the page has it: chosen before, or the browser's. */
export function firstLanguage(wanted: readonly string[]): Language {
  const codes = wanted.map((code) => code.slice(0, 2).toLowerCase());
  return (codes.find((code) => code in TEXTS) as Language | undefined) ?? "en";
}

/** {name} replaced by what it stands for. */
export function filled(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}
