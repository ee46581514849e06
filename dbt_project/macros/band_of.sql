{#- The name of the band an amount lies in: the last of `bands` whose lower bound `from` it reaches; the first has none. Null of null. -#}
{% macro band_of(column, bands) -%}
    case
        when {{ column }} is null then null
        {%- for band in bands[1:] | reverse %}
        when {{ column }} >= {{ band['from'] }} then '{{ band["name"] }}'
        {%- endfor %}
        else '{{ bands[0]["name"] }}'
    end
{%- endmacro %}
